import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hashToken } from '../../src/broker/entry/resume-token.ts'
import { Caller } from '../support/caller.ts'
import { Crowd, type Guest } from '../support/crowd.ts'
import { eventually } from '../support/eventually.ts'
import { NodeProcess } from '../support/node-process.ts'
import { demo, TempFolder } from '../support/parley.ts'
import { PrivateRedis } from '../support/private-redis.ts'
import { startProvider } from '../support/provider.ts'

// So short a window that a sweep would take every session for lost if an outage of Redis counted as death of its node.
const plans = { default: { session: { resumeWindow: '1s' as const } } }

/** Memory of 50 conversations that has not been given back, bytes: code that was compiled, caches that were filled. */
const MAY_GROW = 8 * 1024 * 1024

const outages = [
  {
    name: 'hangs',
    begin: async (redis: PrivateRedis) => redis.freeze(),
    end: async (redis: PrivateRedis) => redis.thaw(),
    turns: 3,
  },
  // Longer than a lease, the window and the grace of the sweep together.
  {
    name: 'dies and comes back',
    begin: (redis: PrivateRedis) => redis.kill(),
    end: (redis: PrivateRedis) => redis.start(),
    turns: 11,
  },
]

describe.concurrent('Redis away', () => {
  test.each(outages)('L7 when it $name running sessions go on and nothing is lost', async ({ begin, end, turns }) => {
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await PrivateRedis.start())
    const upstream = await startProvider(stack)
    const options = { provider: upstream.baseUrl, redis: redis.url, policy: { plans } }
    const [one, two] = await Promise.all([NodeProcess.start(options, stack), NodeProcess.start(options, stack)])
    const before = { sockets: one.sockets(), memory: await one.memory() }
    using crowd = await Crowd.gather(one, 50)
    const chatting = crowd.guests.filter((guest) => guest.doing === 'chatting')

    await begin(redis)
    const had = new Map(chatting.map((guest) => [guest, guest.turns]))
    await eventually(async () => expect((await fetch(`${one.url}/readyz`)).status).toBe(503), 3_000)
    // New callers are told to wait, at once.
    const asked = performance.now()
    const refused = Array.from({ length: 5 }, () => new Caller(one.door(), demo.key))
    for (const caller of refused) {
      expect((await caller.next('error')).error).toMatchObject({
        code: 'store_unavailable',
        retry_after_ms: expect.any(Number),
      })
      expect(Number(caller.times[0]) - asked).toBeLessThan(1_500)
      expect((await caller.closed()).code).toBe(4103)
    }
    // Some hang up meanwhile, and one drops and comes back.
    const [returning, ...leaving] = crowd.resumable.slice(0, 4) as [Guest, ...Guest[]]
    for (const guest of leaving) guest.hangUp()
    returning.caller.vanish()
    await returning.comeBack([one])
    const staying = crowd.guests.filter((guest) => !leaving.includes(guest))
    await eventually(() => {
      for (const guest of chatting) {
        if (leaving.includes(guest)) continue
        expect(guest.turns).toBeGreaterThanOrEqual(Number(had.get(guest)) + turns)
      }
    }, 60_000)
    for (const guest of staying) expect(guest.caller.closure, guest.doing).toBeNull()

    await end(redis)
    const back = Date.now()
    await eventually(async () => expect((await fetch(`${one.url}/readyz`)).status).toBe(200), 5_000)
    using fresh = await Caller.connect(one.door(), demo.key)
    // What happened meanwhile is on record: ends, and nobody who was never let in.
    const running = staying.length + 1
    await eventually(async () => expect((await redis.unended()).length).toBe(running), 5_000)
    await eventually(async () => {
      expect((await two.sessions()).map((session) => session.phase)).toEqual(Array(running).fill('live'))
    }, 5_000)
    for (const guest of leaving) {
      expect(await two.session(String(guest.sessionId))).toMatchObject({ phase: 'ended', reason: 'caller_hung_up' })
    }
    // The token that was handed out during the outage is good at every node.
    await eventually(async () => {
      expect(await redis.tokenHash(String(returning.sessionId))).toBe(hashToken(String(returning.token)))
    }, 5_000)
    // Two sweeps later still nobody has been taken for lost.
    await eventually(async () => expect(await redis.sweepsSince(back)).toBeGreaterThanOrEqual(2), 30_000)
    for (const guest of staying) expect(guest.caller.closure, guest.doing).toBeNull()

    for (const guest of staying) guest.hangUp()
    fresh.socket.close(1000)
    await eventually(async () => expect(await two.sessions()).toEqual([]), 5_000)
    expect(await redis.unended()).toEqual([])
    expect(await one.gauge()).toBe(0)
    await eventually(() => expect(upstream.live).toBe(0), 5_000)
    await eventually(() => expect(one.sockets()).toBeLessThanOrEqual(before.sockets + 4), 5_000)
    expect(await one.memory()).toBeLessThan(before.memory + MAY_GROW)
  })
})

describe.concurrent('SIGTERM while Redis is away', () => {
  test.each(outages)('S7 when it $name the node still ends by its deadline', async ({ begin }) => {
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await PrivateRedis.start())
    const upstream = await startProvider(stack)
    const policy = { plans, drain: { deadline: '4s' as const } }
    const node = await NodeProcess.start({ provider: upstream.baseUrl, redis: redis.url, policy }, stack)
    using crowd = await Crowd.gather(node, 6)
    await begin(redis)
    const told = performance.now()
    node.kill('SIGTERM')
    const { code, at } = await node.exited
    expect(code, node.output).toBe(0)
    expect(at - told).toBeLessThan(4_000 + 5_000)
    for (const { caller, speaksParley } of crowd.guests) {
      expect((await caller.closed()).code).toBe(speaksParley ? 4200 : 1001)
    }
    await eventually(() => expect(upstream.live).toBe(0), 5_000)
  })
})

describe.concurrent("a Redis of the node's own", () => {
  const server = (node: NodeProcess) => Number(readFileSync(join(node.folder.path, 'data/redis/server.pid'), 'utf8'))

  test('R1 kill -9 of redis-server: it is started again, sessions go on, the records are right', async () => {
    await using stack = new AsyncDisposableStack()
    const upstream = await startProvider(stack)
    const node = await NodeProcess.start({ provider: upstream.baseUrl, policy: { plans } }, stack)
    using crowd = await Crowd.gather(node, 6)
    for (let death = 1; death <= 3; death++) {
      const killed = server(node)
      process.kill(killed, 'SIGKILL')
      await eventually(() => expect(server(node)).not.toBe(killed), 3_000)
      await eventually(async () => expect((await fetch(`${node.url}/readyz`)).status).toBe(200), 5_000)
      using fresh = await Caller.connect(node.door(), demo.key)
      expect((await fresh.ask('say: Still here.')).response).toMatchObject({ status: 'completed' })
      fresh.socket.close(1000)
      await fresh.closed()
    }
    for (const guest of crowd.guests) expect(guest.caller.closure).toBeNull()
    await eventually(async () => expect((await node.sessions()).length).toBe(6), 5_000)
    for (const guest of crowd.guests) guest.hangUp()
    await eventually(async () => expect(await node.sessions()).toEqual([]), 5_000)
  })

  test('R1 kill -9 of the node: its redis-server ends too, and the next node of the folder has its records', async () => {
    await using stack = new AsyncDisposableStack()
    const upstream = await startProvider(stack)
    const folder = stack.use(new TempFolder())
    const first = await NodeProcess.start({ provider: upstream.baseUrl, folder, policy: { plans } }, stack)
    using crowd = await Crowd.gather(first, 6)
    const redis = server(first)
    first.kill('SIGKILL')
    await first.exited
    await eventually(() => expect(() => process.kill(redis, 0)).toThrow('ESRCH'), 5_000)
    expect(upstream.live).toBe(0)

    const second = await NodeProcess.start({ provider: upstream.baseUrl, folder, policy: { plans } }, stack)
    expect((await second.sessions()).map((session) => session.id)).toEqual(expect.arrayContaining(ids(crowd)))
    const unlost = crowd.resumable.map(async (guest) => {
      await guest.comeBack([second])
      await guest.caller.next('parley.restored')
      expect((await guest.ask()).response).toMatchObject({ status: 'completed' })
    })
    await Promise.all(unlost)
    for (const guest of crowd.resumable) guest.hangUp()
    await eventually(async () => expect(await second.sessions()).toEqual([]), 35_000)
  })
})

const ids = (crowd: Crowd) => crowd.resumable.map((guest) => guest.sessionId)
