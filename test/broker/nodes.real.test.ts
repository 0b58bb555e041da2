import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { keys } from '../../src/store/keys.ts'
import { Census } from '../../src/store/nodes.ts'
import { type EndedSession, NO_USAGE, SessionRecords } from '../../src/store/session-records.ts'
import { sweepSessions } from '../../workers/sweep-sessions.ts'
import { Caller } from '../support/caller.ts'
import { eventually } from '../support/eventually.ts'
import { demo, Parley, silent } from '../support/parley.ts'
import { sessionHead } from '../support/sessions.ts'

type WriteSession = (...args: string[]) => Promise<number>

describe('two nodes on one Redis', () => {
  let one: Parley
  let two: Parley
  beforeAll(async () => {
    one = await Parley.start()
    two = await Parley.start({ store: one.store })
  })
  afterAll(async () => {
    await two[Symbol.asyncDispose]()
    await one[Symbol.asyncDispose]()
  })

  const introduced = async (caller: Caller) =>
    (await caller.next('parley.session')) as never as { resume_token: string; session_id: string; seq: number }
  const back = (node: Parley, token: string, seen: number) =>
    new Caller(node.door(`model=gpt-realtime&parley=1&resume_from=${seen}`), token)

  test('S7 a caller that comes back to the other node is joined to the one that holds its session', async () => {
    using first = await Caller.connect(one.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token, session_id } = await introduced(first)
    await first.ask('hello')
    const seen = first.events.filter((event) => !event.type.startsWith('parley.')).length
    first.vanish()
    using second = back(two, resume_token, seen)
    expect(await introduced(second)).toMatchObject({ resumed: true, session_id })
    const done = await second.ask('and again')
    expect((done.response as { status: string }).status).toBe('completed')
    expect(one.loopback.live).toBe(1)
    expect(two.loopback.live).toBe(0)
    second.socket.close(1000)
    await second.closed()
  })

  test('S7 after the owner has died the other node goes on with the whole conversation', async () => {
    using first = await Caller.connect(one.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token, session_id } = await introduced(first)
    await first.ask('my name is Ada')
    // A record is written within two seconds of a turn; a dead node is one whose lease is gone.
    const records = new SessionRecords(one.store.redis, 'test')
    for (;;) if (((await records.read(session_id))?.tail?.items.length ?? 0) >= 2) break
    const owner = (await one.store.redis.hget(keys.session(session_id), 'owner')) as string
    const seen = first.events.filter((event) => !event.type.startsWith('parley.')).length
    first.vanish()
    for (;;) if ((await records.read(session_id))?.phase === 'parked') break
    // Nothing has changed for an hour; its node was alive until now.
    await one.store.redis.hset(keys.session(session_id), 'updated', String(systemClock.now() - 3_600_000))
    await one.store.redis.del(keys.node(owner))

    using second = back(two, resume_token, seen)
    const restored = await second.next('parley.restored')
    expect(restored.items).toBe(2)
    expect(second.of('session.created')).toEqual([])
    await second.ask('what is my name?')
    const view = await fetch(`${two.url}/v1/sessions/${session_id}`, {
      headers: { Authorization: `Bearer ${demo.key}` },
    })
    // What was used at the first node counts.
    expect(await view.json()).toMatchObject({ phase: 'live', tenant: 'acme', usage: { responses: 2 } })
    // The first node finds out that it has been left, and takes nothing from its successor.
    await eventually(() => expect(one.loopback.live).toBe(0), 5_000)
    expect(await records.live()).toContain(session_id)
    expect((await records.read(session_id))?.phase).toBe('live')

    using third = back(two, resume_token, seen)
    expect(((await third.next('error')).error as { code: string }).code).toBe('session_not_found')
  })

  test('S7 a caller whose new node cannot reach the provider at first comes back with the same token', async () => {
    using first = await Caller.connect(one.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token, session_id } = await introduced(first)
    await first.ask('my name is Ada')
    const records = new SessionRecords(one.store.redis, 'test')
    for (;;) if (((await records.read(session_id))?.tail?.items.length ?? 0) >= 2) break
    const owner = (await one.store.redis.hget(keys.session(session_id), 'owner')) as string
    const seen = first.events.filter((event) => !event.type.startsWith('parley.')).length
    first.vanish()
    for (;;) if ((await records.read(session_id))?.phase === 'parked') break
    await one.store.redis.del(keys.node(owner))

    two.loopback.faults = { refuse: 401 }
    using second = back(two, resume_token, seen)
    expect(((await second.next('error')).error as { code: string }).code).toBe('upstream_unavailable')
    expect((await second.closed()).code).toBe(4104)
    two.loopback.faults = {}
    using third = back(two, resume_token, seen)
    expect((await third.next('parley.restored')).items).toBe(2)
  })

  test('S7 a token is good elsewhere from the moment it is handed out, whatever else is being written of its session', async () => {
    const { redis } = one.store as never as { redis: Redis & { writeSession: WriteSession } }
    const { writeSession } = redis
    const [held, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    await using stack = new AsyncDisposableStack()
    stack.defer(() => {
      goOn.resolve()
      redis.writeSession = writeSession
      one.loopback.faults = {}
    })
    // The node writes the session down just before the provider has greeted it, and Redis takes its time.
    one.loopback.faults = { delay: 2_500 }
    redis.writeSession = async (...args) => {
      if (!args.includes('opening') || !args.includes('tail')) return writeSession.apply(redis, args)
      held.resolve()
      await goOn.promise
      return writeSession.apply(redis, args)
    }
    using first = await Caller.connect(one.door('model=gpt-realtime&parley=1'), demo.key)
    await held.promise
    const { resume_token, session_id } = await introduced(first)
    const owner = (await redis.hget(keys.session(session_id), 'owner')) as string
    first.vanish()
    await redis.del(keys.node(owner))
    using second = back(two, resume_token, 1)
    expect(await second.next('parley.restored')).toMatchObject({ items: 0 })
    expect((await second.ask('hello')).response).toMatchObject({ status: 'completed' })
  })

  test('S5 a caller of a node that was killed and started again at its address is told to come back, and then goes on', async () => {
    const { redis } = one.store
    using first = await Caller.connect(one.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token, session_id } = await introduced(first)
    await first.ask('my name is Ada')
    const records = new SessionRecords(redis, 'test')
    for (;;) if (((await records.read(session_id))?.tail?.items.length ?? 0) >= 2) break
    const seen = first.events.filter((event) => !event.type.startsWith('parley.')).length
    first.vanish()
    for (;;) if ((await records.read(session_id))?.phase === 'parked') break
    await redis.hset(keys.session(session_id), 'owner', 'predecessor')
    await redis.set(keys.node('predecessor'), two.url)

    using early = back(two, resume_token, seen)
    expect((await early.next('error')).error).toMatchObject({ code: 'overloaded', retry_after_ms: 2_000 })
    expect((await early.closed()).code).toBe(1013)
    await redis.del(keys.node('predecessor'))
    using late = back(two, resume_token, seen)
    expect(await late.next('parley.restored')).toMatchObject({ items: 2 })
    late.socket.close(1000)
    await late.closed()
  })

  test('S7 the operator ends a session through any node', async () => {
    using caller = await Caller.connect(one.door('model=gpt-realtime&parley=1'), demo.key)
    const { session_id } = await introduced(caller)
    const response = await fetch(`${two.url}/v1/sessions/${session_id}/end`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${demo.key}` },
    })
    expect(response.status).toBe(200)
    expect((await caller.next('parley.session_ended')).reason).toBe('ended_by_operator')
  })

  test('L4 what a dead node left behind is ended by the workers once nobody can come back, and told', async () => {
    const told: string[] = []
    const tell = async ({ head, reason }: EndedSession) => void told.push(`${head.id} ${reason}`)
    const records = new SessionRecords(one.store.redis, 'a-dead-node', tell)
    const now = systemClock.now()
    await records.create(sessionHead('orphan-1', 'acme', now), null, now)
    const census = new Census(one.store.redis)
    const sweep = (after: number) =>
      sweepSessions({ clock: { ...systemClock, now: () => (now + after) as typeof now }, log: silent, records, census })
    expect(await sweep(20_000)).toBe(0)
    // A lease that is gone means death only when it is still gone at the next sweep: Redis may have been away.
    expect(await sweep(25_000)).toBe(0)
    expect(await sweep(30_000)).toBe(1)
    expect(await sweep(30_000)).toBe(0)
    expect((await records.read('orphan-1'))?.reason).toBe('node_lost')
    expect(told.filter((each) => each.startsWith('orphan-1'))).toEqual(['orphan-1 node_lost'])
  })

  test('S1 an end that its node could not tell is told by the sweep', async () => {
    const now = systemClock.now()
    const { redis } = one.store
    const head = sessionHead('untold', 'acme', now)
    const dumb = new SessionRecords(redis, 'dumb', () => Promise.reject(new Error('redis is away')))
    await dumb.create(head, null, now)
    await expect(dumb.end(head, 'idle_timeout', NO_USAGE, now)).rejects.toThrow('away')
    const told: (string | null)[][] = []
    const tell = async (ended: EndedSession) => void told.push([ended.head.id, ended.reason])
    const sweep = () =>
      sweepSessions({
        ...{ clock: systemClock, log: silent, census: new Census(redis) },
        records: new SessionRecords(redis, 'workers', tell),
      })
    await sweep()
    await sweep()
    expect(told.filter(([id]) => id === 'untold')).toEqual([['untold', 'idle_timeout']])
  })

  test('S1 a session is listed before its record is written, and a sweep in between leaves it alone', async () => {
    const { redis } = one.store
    const records = new SessionRecords(redis, 'a-node')
    const census = new Census(redis)
    const now = systemClock.now()
    const sweep = (after: number) =>
      sweepSessions({ clock: { ...systemClock, now: () => (now + after) as typeof now }, log: silent, records, census })
    await redis.zadd(keys.liveSessions, String(now), 'unwritten')
    await sweep(1_000)
    expect(await records.live()).toContain('unwritten')
    await sweep(11_000)
    expect(await records.live()).not.toContain('unwritten')
  })
})
