import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LivePolicy } from '../../src/admin/live-policy.ts'
import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import type { StoredPolicy } from '../../src/config/stored-policy.ts'
import { keys } from '../../src/store/keys.ts'
import { PolicyStore } from '../../src/store/policy-store.ts'
import { Caller } from '../support/caller.ts'
import { admin, demo, other, Parley, policy, silent } from '../support/parley.ts'

describe('the policy in force', () => {
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start()
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  const ask = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const response = await fetch(`${parley.url}/v1/admin/${path}`, {
      method,
      headers: { Authorization: `Bearer ${admin.key}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { ...(response.status === 204 ? {} : ((await response.json()) as object)), status: response.status }
  }

  test('R4 a node whose notice was lost finds the change all the same, before five seconds are over', async () => {
    await ask('POST', 'tenants', { id: 'quiet' })
    const { key } = await ask('POST', 'tenants/quiet/keys', {})
    using caller = await Caller.connect(parley.door(), String(key))
    const { redis } = parley.store
    const changedAt = performance.now()
    await redis.multi().hdel(keys.policy, 'tenant:quiet').hincrby(keys.policy, 'revision', 1).exec()
    const { code, at } = await caller.closed()
    expect(code).toBe(4013)
    expect(at - changedAt).toBeLessThan(5_000)
  })

  test('R4 a change is made once, however often it is sent, and not upon what has changed meanwhile', async () => {
    const store = new PolicyStore(parley.store.redis, silent)
    const { revision } = await store.read()
    const change = { plans: new Map([['p', { tools: false }]]) }
    expect(await store.change(revision, 'a', change)).toBe(revision + 1)
    expect(await store.change(revision, 'a', change)).toBe(revision + 1)
    expect(await store.change(revision, 'b', { plans: new Map([['p', null]]) })).toBeNull()
    expect((await store.read()).plans.get('p')).toEqual({ tools: false })
    expect(await store.change(revision + 1, 'b', { plans: new Map([['p', null]]) })).toBe(revision + 2)
    expect((await store.read()).plans.has('p')).toBe(false)
  })

  test('R4 changes made at once, each upon what it was decided upon, all count', async () => {
    const store = new PolicyStore(parley.store.redis, silent)
    const [one, two] = [1, 2].map(() => new LivePolicy(parley.config, store, systemClock, silent, () => undefined))
    const counted = (stored: StoredPolicy) => Number(stored.plans.get('count') ?? 0)
    const decisions: number[] = []
    const changes = [one, two, one, two, one, two].map((policy) =>
      policy?.change((stored) => {
        decisions.push(counted(stored))
        return { plans: new Map([['count', counted(stored) + 1]]) }
      }),
    )
    await Promise.all(changes)
    expect(counted(await store.read())).toBe(6)
    // They did meet: some were decided more than once.
    expect(decisions.length).toBeGreaterThan(6)
    await one?.change(() => ({ plans: new Map([['count', null]]) }))
  })

  test('R4 what cannot be understood is left out, and the rest holds', async () => {
    await ask('POST', 'tenants', { id: 'sound' })
    const { redis } = parley.store
    await redis
      .multi()
      .hset(
        keys.policy,
        'tenant:odd',
        '{"settings":1}',
        'tenant:later',
        '{"settings":{"colour":1},"keys":[],"madeAt":1}',
      )
      .hset(keys.policy, 'plan:odd', '{"colour":1}')
      .hincrby(keys.policy, 'revision', 1)
      .publish(keys.policyChanged, 'x')
      .exec()
    const ids = async () => ((await ask('GET', 'tenants')).data as { id: string }[]).map(({ id }) => id)
    await ask('POST', 'tenants', { id: 'after' })
    expect(await ids()).toEqual(['acme', 'after', 'sound', 'zenith'])
    await redis.hdel(keys.policy, 'tenant:odd', 'tenant:later', 'plan:odd')
  })

  test('R4 a reload keeps what routes have made, and ends the sessions of keys that the file has no more', async () => {
    await ask('POST', 'tenants', { id: 'kept' })
    const { key } = await ask('POST', 'tenants/kept/keys', {})
    using made = await Caller.connect(parley.door(), String(key))
    using gone = await Caller.connect(parley.door(), demo.key)
    using stays = await Caller.connect(parley.door(), other.key)
    const next = configFrom(policy(parley.loopback.baseUrl, parley.config.dataDir, {}))
    const tenants = new Map([...next.tenants].filter(([id]) => id !== 'acme'))
    parley.running.reload({ ...next, tenants })
    expect((await gone.closed()).code).toBe(4013)
    expect((await made.ask('Still there?')).type).toBe('response.done')
    expect((await stays.ask('Still there?')).type).toBe('response.done')
  })

  test('L7 while Redis is away the last policy known holds, sessions go on, and a change is refused with a hint', async () => {
    await using alone = await Parley.start()
    using caller = await Caller.connect(alone.door(), demo.key)
    alone.store.redis.disconnect()
    const models = await fetch(`${alone.url}/v1/models`, { headers: { Authorization: `Bearer ${demo.key}` } })
    expect(models.status).toBe(200)
    const refused = await fetch(`${alone.url}/v1/admin/plans/p`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${admin.key}`, 'Content-Type': 'application/json' },
      body: '{}',
    })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect((await caller.ask('Still there?')).type).toBe('response.done')
  })
})
