import { describe, expect, test } from 'vitest'
import type { SessionView } from '../../src/http/sessions.ts'
import type { Loopback } from '../../src/upstream/loopback/server.ts'
import { Caller } from '../support/caller.ts'
import { Crowd, Guest } from '../support/crowd.ts'
import { eventually } from '../support/eventually.ts'
import { NodeProcess } from '../support/node-process.ts'
import { demo } from '../support/parley.ts'
import { PrivateRedis } from '../support/private-redis.ts'
import { startProvider } from '../support/provider.ts'

/** Nothing may be left open at the provider this long after a fault, ms. */
const LET_GO = 20_000
/** Memory of 50 conversations that has not been given back, bytes: code that was compiled, caches that were filled. */
const MAY_GROW = 8 * 1024 * 1024
const plans = { default: { session: { resumeWindow: '3s' as const } } }

const holdings = async (node: NodeProcess) => ({ sockets: node.sockets(), memory: await node.memory() })

/** All that a node holds once everybody has hung up: what it held before anybody came. */
async function expectNothingLeft(node: NodeProcess, before: { sockets: number; memory: number }, upstream: Loopback) {
  await eventually(async () => expect(await node.sessions()).toEqual([]), 5_000)
  expect(await node.gauge()).toBe(0)
  await eventually(() => expect(upstream.live).toBe(0), LET_GO)
  // Sockets of the operator's own requests are kept alive between them.
  await eventually(() => expect(node.sockets()).toBeLessThanOrEqual(before.sockets + 4), 5_000)
  expect(await node.memory()).toBeLessThan(before.memory + MAY_GROW)
}

/** The one that got in; the other must have been refused. */
async function winnerOf(callers: readonly Caller[]): Promise<Caller> {
  const answers = callers.map((caller) => caller.until((event) => WON_OR_LOST.has(event.type)))
  const won = (await Promise.all(answers)).map((event) => event.type === 'parley.session')
  expect(won.filter(Boolean)).toEqual([true])
  return callers[won.indexOf(true)] as Caller
}
const WON_OR_LOST: ReadonlySet<string> = new Set(['parley.session', 'error'])

describe.concurrent('a node that goes away', () => {
  test('S7 kill -9: callers with a token go on at another node, the others are booked as lost', async () => {
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await PrivateRedis.start())
    const upstream = await startProvider(stack)
    const options = { provider: upstream.baseUrl, redis: redis.url, policy: { plans } }
    const nodes = await Promise.all([
      NodeProcess.start({ ...options, only: 'broker' }, stack),
      NodeProcess.start(options, stack),
      NodeProcess.start({ ...options, only: 'broker' }, stack),
    ])
    const [dying, second, third] = nodes
    const before = await Promise.all([second, third].map(holdings))
    using lost = await Crowd.gather(dying, 32)
    using unharmed = await Crowd.gather(second, 18)
    const [twice, ...others] = lost.resumable
    const everyone = (await second.sessions()).map((session) => session.id)
    expect(everyone.length).toBe(50)

    dying.kill('SIGKILL')
    await dying.exited
    for (const guest of lost.guests) expect((await guest.caller.closed()).code).toBe(1006)

    // Nobody else may have the session meanwhile.
    using garbage = new Caller(second.door('parley=1&resume_from=1'), `prt_${twice?.sessionId}_${'x'.repeat(43)}`)
    expect((await garbage.next('error')).error).toMatchObject({ code: expect.stringMatching(/overloaded|not_found/) })
    await Promise.all(
      others.map(async (guest, i) => {
        await guest.comeBack(i % 2 === 0 ? [dying, second] : [dying, third])
        await guest.caller.next('parley.restored')
        expect((await guest.ask()).response).toMatchObject({ status: 'completed' })
      }),
    )
    // The owner is known to be dead by now: two connections at once, to two nodes, and a token of somebody else's.
    const query = `model=gpt-realtime&parley=1&resume_from=${twice?.seen}`
    using foreign = new Caller(third.door(query), String(others[0]?.token).replace(/_[^_]*_/, `_${twice?.sessionId}_`))
    expect((await foreign.next('error')).error).toMatchObject({ code: 'session_not_found' })
    using a = new Caller(second.door(query), String(twice?.token))
    using b = new Caller(third.door(query), String(twice?.token))
    const winner = await winnerOf([a, b])
    await winner.next('parley.restored')

    expect(upstream.live).toBe(lost.resumable.length + unharmed.guests.length)
    for (const guest of unharmed.guests) expect(guest.caller.closure).toBeNull()

    // Their records end once their callers could not come back any more, and say why.
    const running = new Set([...lost.resumable, ...unharmed.resumable].map((guest) => guest.sessionId))
    const left = lost.resumable.length + unharmed.guests.length
    await eventually(async () => expect((await second.sessions()).length).toBe(left), 35_000)
    const records: SessionView[] = []
    for (const id of everyone) records.push(await second.session(id))
    const ended = records.filter((record) => record.phase === 'ended')
    expect(ended.map((record) => record.reason)).toEqual(Array(lost.plain.length).fill('node_lost'))
    expect(ended.filter((record) => running.has(record.id))).toEqual([])

    for (const guest of [...others, ...unharmed.guests]) guest.hangUp()
    winner.socket.close(1000)
    await expectNothingLeft(second, before[0] as never, upstream)
    await expectNothingLeft(third, before[1] as never, upstream)
    expect(await redis.unended()).toEqual([])
  })

  test('S7 SIGTERM: unready at once, callers move at a turn boundary, all gone by the deadline', async () => {
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await PrivateRedis.start())
    const upstream = await startProvider(stack)
    // Whoever is sent away in the middle of an answer is not let go before its usage is there.
    upstream.faults = { lateUsage: 300 }
    const policy = { plans, drain: { deadline: '6s' as const } }
    const options = { provider: upstream.baseUrl, redis: redis.url, policy }
    const [leaving, staying] = await Promise.all([NodeProcess.start(options, stack), NodeProcess.start(options, stack)])
    const before = await holdings(staying)
    using crowd = await Crowd.gather(leaving, 50)
    // One whose session is at the other node has come back to this one, and is joined to it.
    using relayed = await Guest.arrive(staying, 'chatting', true)
    relayed.caller.vanish()
    await relayed.comeBack([leaving])
    // And one is away for a moment.
    const away = crowd.resumable.at(-1) as Guest
    away.caller.vanish()
    const isAway = async () => expect(await staying.session(String(away.sessionId))).toMatchObject({ phase: 'parked' })
    await eventually(isAway, 3_000)

    const told = performance.now()
    leaving.kill('SIGTERM')
    await eventually(async () => expect((await fetch(`${leaving.url}/readyz`)).status).toBe(503), 1_000)
    expect(performance.now() - told).toBeLessThan(500)
    using late = new Caller(leaving.door(), demo.key)
    const refused = Promise.withResolvers<number | undefined>()
    late.socket.on('unexpected-response', (_, response) => refused.resolve(response.statusCode))
    expect(await refused.promise).toBe(503)

    const ends = await Promise.all(
      crowd.guests.map(async (guest) => {
        if (guest === away) return null
        const { caller } = guest
        const { code, at } = await caller.closed()
        // At once, as the code says: the session must be there.
        if (code === 4200) await guest.comeBack([staying])
        return { guest, caller, code, after: at - told }
      }),
    )
    // Who was joined to the other node by this one is cut off.
    expect((await relayed.caller.closed()).code).toBe(1006)
    for (const end of ends) {
      if (end === null) continue
      const { guest, caller, code, after } = end
      expect(code, guest.doing).toBe(guest.speaksParley ? 4200 : 1001)
      expect(after).toBeLessThan(6_250)
      expect(caller.of('parley.going_away').length).toBe(guest.speaksParley ? 1 : 0)
      // A short turn is over long before the deadline.
      if (guest.speaksParley && guest.doing === 'chatting') expect(after).toBeLessThan(4_500)
    }
    await Promise.all(
      [...crowd.resumable, relayed].map(async (guest) => {
        if (guest === away || guest === relayed) await guest.comeBack([staying])
        expect((await guest.ask()).response).toMatchObject({ status: 'completed' })
      }),
    )
    // Each found its session at the first attempt; one had come back to it before.
    expect(await staying.count('parley_connections_refused_total')).toBe(0)
    expect(await staying.count('parley_resumes_total')).toBe(crowd.resumable.length + 2)
    const { code, at } = await leaving.exited
    expect(code, leaving.output).toBe(0)
    expect(at - told).toBeLessThan(7_500)
    expect(upstream.live).toBe(crowd.resumable.length + 1)
    expect((await staying.sessions()).length).toBe(crowd.resumable.length + 1)

    for (const guest of [...crowd.resumable, relayed]) guest.hangUp()
    await expectNothingLeft(staying, before, upstream)
    expect(await redis.unended()).toEqual([])
  })

  test('S7 a second SIGTERM does not wait for anything', async () => {
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await PrivateRedis.start())
    const upstream = await startProvider(stack)
    const node = await NodeProcess.start({ provider: upstream.baseUrl, redis: redis.url }, stack)
    // A provider that owes usage for ever.
    upstream.faults = { stall: 8 }
    using crowd = await Crowd.gather(node, 6, ['listening'])
    node.kill('SIGTERM')
    await Promise.all(crowd.resumable.map((guest) => guest.caller.next('parley.going_away')))
    const again = performance.now()
    // What comes at once after the first counts as the same one, so it is told until it hears.
    await eventually(() => expect(node.kill('SIGTERM')).toBe(false), LET_GO)
    const { code, at } = await node.exited
    expect(code, node.output).toBe(0)
    expect(at - again).toBeLessThan(2_500)
    expect(await Promise.all(crowd.guests.map((guest) => guest.caller.closed().then((end) => end.code)))).toEqual(
      crowd.guests.map((guest) => (guest.speaksParley ? 4200 : 1001)),
    )
    await eventually(() => expect(upstream.live).toBe(0), LET_GO)
  })
})
