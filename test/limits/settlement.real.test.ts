import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultError } from '../../src/faults.ts'
import { addUsage } from '../../src/meter/usage.ts'
import { Counters } from '../../src/store/counters.ts'
import { RedisLimitStore } from '../../src/store/redis-limit-store.ts'
import type { Store } from '../../src/store/store.ts'
import { nanoUsd } from '../../src/units.ts'
import { account, hold, openStore, record, SimulatedLimits } from '../support/limits.ts'
import { TempFolder } from '../support/temp-folder.ts'

const folder = new TempFolder()
let redis: Store
beforeAll(async () => {
  redis = await openStore(folder.path)
})
afterAll(async () => {
  await redis[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const S = 1_000
const DAY = 86_400_000
const accounts = [
  account('session', 's', { budget: 1_000 }),
  account('user', 'u', { perDay: 1_000 }),
  account('tenant', 't', { perMonth: 1_000, tokensPerMinute: 1_000, sessions: 5 }),
]

/** A session that is admitted and holds 500 nano-dollars and 500 tokens. */
async function begun(start?: number): Promise<SimulatedLimits> {
  const limits = new SimulatedLimits(redis.redis, start)
  await limits.store.admit('s', accounts)
  await limits.store.reserve({ session: 's', accounts, want: hold(500, 500), least: hold(500, 500), standing: false })
  return limits
}

/** What every account has spent and holds, and what the journal says; all accounts agree or the test fails. */
async function books(limits: SimulatedLimits) {
  const states = await limits.store.state(accounts)
  const spent = new Set(states.flatMap((state) => state.money.map((m) => m.spent)))
  const held = new Set(states.flatMap((state) => state.money.map((m) => m.held)))
  expect([spent.size, held.size]).toEqual([1, 1])
  const journal = await limits.journal()
  return {
    spent: [...spent][0],
    held: [...held][0],
    tokens: states[0]?.tokensLastMinute,
    booked: journal.reduce((sum, entry) => sum + entry.cost, 0),
    bases: journal.map((entry) => entry.basis),
  }
}

describe('settling', () => {
  test('L5 a session that goes on at another node: what its dead node was buying counts at once, and once', async () => {
    const limits = await begun()
    await limits.store.running({ session: 's', record: record('s', 'r1', 500, 500) })
    await limits.store.admit('s', accounts)
    expect(await books(limits)).toMatchObject({ spent: 500, booked: 500, bases: ['estimate'] })
    const want = { session: 's', accounts, want: hold(600, 100), least: hold(600, 100), standing: false }
    expect(await limits.store.reserve(want)).toMatchObject({ ok: false, refusal: { limit: 'budget' } })
    await limits.store.admit('s', accounts)
    await limits.store.release('s')
    expect((await books(limits)).booked).toBe(500)
    await limits.store.settle({ record: record('s', 'r1', 120, 80), accounts, keep: null })
    expect(await books(limits)).toMatchObject({ spent: 120, booked: 120, bases: ['estimate', 'correction'] })
  })

  test('M3 a record is booked once, however often and by whomever it is sent', async () => {
    const limits = await begun()
    const settlement = { record: record('s', 'r1', 120, 80), accounts, keep: hold(500, 500) }
    const other = limits.another()
    const answers = await Promise.all([limits.store.settle(settlement), other.settle(settlement)])
    answers.push(await limits.store.settle(settlement))
    expect(answers.map((answer) => answer.isNew)).toEqual([true, false, false])
    expect(answers[0]?.held).toEqual(hold(380, 420))
    expect(await books(limits)).toEqual({ spent: 120, held: 380, tokens: 80, booked: 120, bases: ['usage'] })
  })

  test('M3 a settlement repeated after the lease was filled again does not empty it', async () => {
    const limits = await begun()
    const settlement = { record: record('s', 'r1', 120, 80), accounts, keep: hold(0, 0) }
    await limits.store.settle(settlement)
    await limits.store.reserve({ session: 's', accounts, want: hold(300, 300), least: hold(0, 0), standing: false })
    expect(await limits.store.settle(settlement)).toMatchObject({ isNew: false, held: hold(300, 300) })
  })

  test('L5 a cost beyond the lease is booked all the same, and told', async () => {
    const limits = await begun()
    const settled = await limits.store.settle({
      record: record('s', 'r1', 510, 520),
      accounts,
      keep: hold(500, 500),
    })
    expect(settled).toMatchObject({ isNew: true, held: hold(0, 0), overdraft: hold(10, 20) })
    expect(await books(limits)).toMatchObject({ spent: 510, held: 0, tokens: 520 })
  })

  test('L5 a settlement keeps no more than it was told to, and never raises the lease', async () => {
    const limits = await begun()
    const settle = (id: string, keep: number) =>
      limits.store.settle({ record: record('s', id, 10, 10), accounts, keep: hold(keep, keep) })
    expect((await settle('r1', 100)).held).toEqual(hold(100, 100))
    expect((await settle('r2', 400)).held).toEqual(hold(90, 90))
  })

  test('M3 what is remembered about a record, and what is counted, goes in the end', async () => {
    const limits = await begun()
    await limits.store.settle({ record: record('s', 'r1', 10, 10), accounts, keep: hold(0, 0) })
    const ttl = async (key: string) => Math.round((await redis.redis.pttl(`${limits.root}:${key}`)) / 60_000) * 60_000
    expect(await ttl('record:s:r1')).toBe(2 * DAY)
    expect(await ttl('spent:session:s:budget')).toBe(2 * DAY)
    expect(await ttl('spent:user:u:day:2026-11-25')).toBe(3.5 * DAY)
    expect(await ttl('spent:tenant:t:month:2026-11')).toBe(45.5 * DAY)
    expect(await ttl('tokens:tenant:t')).toBe(60_000)
  })
})

describe('a node that dies', () => {
  test('L4 M3 within 15 s everything it held is free and what was running is booked once as estimated', async () => {
    const limits = await begun()
    expect(await limits.store.running({ session: 's', record: record('s', 'r1', 200, 150) })).toBe(true)
    expect(await limits.store.running({ session: 's', record: record('s', 'r1', 200, 150) })).toBe(true)
    limits.pass(15 * S - 1)
    expect(await limits.store.reap(10)).toBe(0)
    limits.pass(1)
    const reaped = await Promise.all([limits.store.reap(10), limits.another().reap(10)])
    expect(reaped.sort()).toEqual([0, 1])
    expect(await books(limits)).toEqual({ spent: 200, held: 0, tokens: 150, booked: 200, bases: ['estimate'] })
    expect((await limits.journal())[0]).toMatchObject({ id: 's:r1', estimated: true, cost: 200 })
    expect((await limits.store.state(accounts)).map((state) => state.sessions)).toEqual([0, 0, 0])
    expect(await limits.store.running({ session: 's', record: record('s', 'r2', 1, 1) })).toBe(false)
    expect(await redis.redis.exists(`${limits.root}:lease:s`, `${limits.root}:leases`)).toBe(0)
  })

  test('L4 its holds are free for the next who asks, with nobody sweeping', async () => {
    const limits = await begun()
    await limits.store.running({ session: 's', record: record('s', 'r1', 200, 150) })
    const all = { accounts: accounts.slice(1), want: hold(800, 850), least: hold(800, 850), standing: false }
    limits.pass(15 * S - 1)
    expect((await limits.store.reserve({ session: 'z', ...all })).ok).toBe(false)
    limits.pass(1)
    expect((await limits.store.reserve({ session: 'z', ...all })).ok).toBe(true)
  })

  test('L4 a lease without a slot, as a job has one, ends the same way', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const ask = { accounts, want: hold(900, 900), least: hold(900, 900), standing: false }
    await limits.store.reserve({ session: 'job', ...ask })
    limits.pass(15 * S)
    expect((await limits.store.reserve({ session: 'next', ...ask })).ok).toBe(true)
  })

  test.each([
    ['less', 150, 100],
    ['more', 260, 170],
    ['the same', 200, 150],
  ])('M3 the truth arrives later and is %s: one correction makes the sum right', async (_, cost, weighted) => {
    const limits = await begun()
    const estimate = record('s', 'r1', 200, 150)
    const truth = record('s', 'r1', cost, weighted)
    await limits.store.running({ session: 's', record: estimate })
    limits.pass(20 * S)
    await limits.store.reap(10)
    const both = await Promise.all([
      limits.store.settle({ record: truth, accounts, keep: null }),
      limits.another().settle({ record: truth, accounts, keep: null }),
    ])
    expect(both.map((settled) => settled.isNew).sort()).toEqual([false, true])
    expect((await limits.store.settle({ record: truth, accounts, keep: null })).isNew).toBe(false)
    expect(await books(limits)).toEqual({
      spent: cost,
      held: 0,
      tokens: weighted,
      booked: cost,
      bases: ['estimate', 'correction'],
    })
    const [first, second] = await limits.journal()
    if (first === undefined || second === undefined) throw new Error('two records were to be booked')
    expect(addUsage(first.usage, second.usage).out).toEqual(truth.usage.out)
  })

  test('M3 a correction of yesterday counts yesterday, and its tokens where they were bought', async () => {
    const limits = await begun(Date.UTC(2026, 10, 30, 23, 59, 30))
    await limits.store.running({ session: 's', record: record('s', 'r1', 200, 150) })
    limits.pass(15 * S)
    await limits.store.reap(10)
    limits.pass(100 * S)
    await limits.store.settle({ record: record('s', 'r1', 50, 40), accounts, keep: null })
    const name = { kind: 'tenant', id: 't' } as const
    const counters = new Counters(redis.redis, limits.root)
    expect(
      await counters.spentOf([
        { ...name, period: 'day:2026-11-30' },
        { ...name, period: 'month:2026-11' },
        { ...name, period: 'day:2026-12-01' },
        { ...name, period: 'month:2026-12' },
      ]),
    ).toEqual([50, 50, 0, 0])
    expect((await limits.store.state(accounts))[2]?.tokensLastMinute).toBe(0)
    const entries = await redis.redis.xrange(`${limits.root}:journal`, '-', '+')
    expect(entries.map(([, fields]) => fields.slice(2))).toEqual([
      ['booked', String(Date.UTC(2026, 10, 30, 23, 59, 45))],
      ['booked', String(Date.UTC(2026, 10, 30, 23, 59, 45))],
    ])
  })

  test('M3 what is settled before the lease ends is not booked again by its end', async () => {
    const limits = await begun()
    const running = { session: 's', record: record('s', 'r1', 200, 150) }
    await limits.store.running(running)
    await limits.store.settle({ record: record('s', 'r1', 90, 60), accounts, keep: hold(500, 500) })
    expect(await redis.redis.hexists(`${limits.root}:lease:s`, 'running:s:r1')).toBe(0)
    expect(await limits.store.running(running)).toBe(true) // its reply was lost: it is sent again, too late
    limits.pass(15 * S)
    await limits.store.reap(10)
    expect(await books(limits)).toMatchObject({ spent: 90, held: 0, bases: ['usage'] })
  })

  test('M3 a session that ends without having settled is booked as estimated', async () => {
    const limits = await begun()
    await limits.store.running({ session: 's', record: record('s', 'r1', 200, 150) })
    await limits.store.release('s')
    await limits.store.release('s')
    expect(await books(limits)).toMatchObject({ spent: 200, held: 0, bases: ['estimate'] })
  })
})

describe('counters', () => {
  test('M3 counters that were lost are raised to what the ledger says, and never lowered', async () => {
    const limits = await begun()
    await limits.store.settle({ record: record('s', 'r1', 120, 80), accounts, keep: hold(0, 0) })
    const counters = new Counters(redis.redis, limits.root)
    const day = (id: string, spent: number) =>
      ({ kind: 'user', id, period: 'day:2026-11-25', spent: nanoUsd(spent) }) as const
    expect(await counters.compare([day('u', 120), day('lost', 70)])).toEqual([
      { name: { kind: 'user', id: 'lost', period: 'day:2026-11-25' }, counted: 0, booked: 70 },
    ])
    expect(await counters.rebuild([day('u', 100), day('lost', 70)])).toBe(1)
    expect(await counters.spentOf([day('u', 0), day('lost', 0)])).toEqual([120, 70])
    expect(await redis.redis.pttl(`${limits.root}:spent:user:lost:day:2026-11-25`)).toBeGreaterThan(3 * DAY)
  })

  test('M3 a counter that moved since it was read is not set', async () => {
    const limits = await begun()
    const counters = new Counters(redis.redis, limits.root)
    const counter = { kind: 'user', id: 'u', period: 'day:2026-11-25', spent: nanoUsd(7) } as const
    await limits.store.settle({ record: record('s', 'r1', 120, 80), accounts, keep: null })
    expect(await counters.setSpent(counter, { from: nanoUsd(119) })).toBe(false)
    expect(await counters.setSpent(counter, { from: nanoUsd(120) })).toBe(true)
    expect(await counters.spentOf([counter])).toEqual([7])
  })
})

test('L7 with Redis away every question is answered with store_unavailable and when to retry', async () => {
  const away = redis.redis.duplicate()
  away.on('error', () => undefined)
  const store = new RedisLimitStore(away)
  const lease = { session: 's', accounts, want: hold(1, 1), least: hold(1, 1), standing: false }
  const questions = [
    store.admit('s', accounts),
    store.beat(['s']),
    store.reserve(lease),
    store.running({ session: 's', record: record('s', 'r1', 1, 1) }),
    store.settle({ record: record('s', 'r1', 1, 1), accounts, keep: null }),
    store.release('s'),
    store.reap(1),
    store.state(accounts),
    new Counters(away).spentOf([{ kind: 'user', id: 'u', period: 'budget' }]),
  ]
  for (const answer of await Promise.allSettled(questions)) {
    const reason: unknown = answer.status === 'rejected' ? answer.reason : null
    expect(reason).toBeInstanceOf(FaultError)
    expect(reason).toMatchObject({ code: 'store_unavailable', retryAfterMs: 2_000 })
  }
  away.disconnect()
})

describe('calls of jobs', () => {
  const under = (lease: string, id: string, cost: number) => ({
    ...{ record: record('job', id, cost, 0), accounts, keep: hold(0, 0), lease },
  })
  const ask = { accounts, want: hold(300, 0), least: hold(300, 0), standing: false }

  test('L5 each call of a job has a lease of its own, and settles under it', async () => {
    const limits = new SimulatedLimits(redis.redis)
    await limits.store.reserve({ session: 'l1', ...ask })
    await limits.store.reserve({ session: 'l2', ...ask })
    expect(await books(limits)).toMatchObject({ spent: 0, held: 600 })
    expect(await limits.store.settle(under('l1', 's1', 120))).toMatchObject({ isNew: true, held: hold(0, 0) })
    expect(await books(limits)).toMatchObject({ spent: 120, held: 300 })
    await limits.store.release('l1')
    await limits.store.release('l2')
    expect(await books(limits)).toMatchObject({ spent: 120, held: 0 })
  })

  test('M3 what was noted as running and not bought is given back without a record', async () => {
    const limits = new SimulatedLimits(redis.redis)
    await limits.store.reserve({ session: 'l1', ...ask })
    await limits.store.running({ session: 'l1', record: record('job', 's1', 300, 0) })
    await limits.store.release('l1', ['job:s1'])
    await limits.store.release('l1', ['job:s1'])
    expect(await books(limits)).toMatchObject({ spent: 0, held: 0, bases: [] })
    expect(await limits.store.settle(under('l2', 's1', 120))).toMatchObject({ isNew: true })
  })
})
