import { describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { Crowd } from '../support/crowd.ts'
import { eventually } from '../support/eventually.ts'
import { NodeProcess } from '../support/node-process.ts'
import { demo } from '../support/parley.ts'
import { startProvider } from '../support/provider.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

/** A provider that says nothing for this long in the middle of a response is lost; sessions are looked at every second. */
const LONGEST_SILENCE = 15_000

async function expectToldAndGone(node: NodeProcess, callers: readonly Caller[], since: number, within: number) {
  for (const caller of callers) {
    const { code, at } = await caller.closed()
    expect(code).toBe(4104)
    expect(at - since).toBeLessThan(within)
    expect(caller.of('error').at(-1)?.error).toMatchObject({ code: 'upstream_lost', message: expect.any(String) })
  }
  await eventually(async () => expect(await node.sessions()).toEqual([]), 5_000)
  expect(await node.gauge()).toBe(0)
}

describe.concurrent('a provider that goes wrong under 50 conversations', () => {
  test('S6 the lines drop: every caller is told at once, and may come again', async () => {
    await using stack = new AsyncDisposableStack()
    const upstream = await startProvider(stack)
    const node = await NodeProcess.start({ provider: upstream.baseUrl }, stack)
    const before = { sockets: node.sockets(), memory: await node.memory() }
    for (let round = 0; round < 2; round++) {
      using crowd = await Crowd.gather(node, 50)
      const callers = crowd.guests.map((guest) => guest.caller)
      const dropped = performance.now()
      upstream.cutAll()
      await expectToldAndGone(node, callers, dropped, 1_000)
      for (const guest of crowd.resumable) {
        expect(guest.caller.of('parley.session_ended')).toMatchObject([{ reason: 'upstream_lost' }])
        expect(await node.session(String(guest.sessionId))).toMatchObject({ phase: 'ended', reason: 'upstream_lost' })
      }
      expect(upstream.live).toBe(0)
    }
    await eventually(() => expect(node.sockets()).toBeLessThanOrEqual(before.sockets + 4), 5_000)
    expect(await node.memory()).toBeLessThan(before.memory + 8 * 1024 * 1024)
  })

  test('S6 answers stop in the middle: told after 15 s of silence, and nothing stays open', async () => {
    await using stack = new AsyncDisposableStack()
    const upstream = await startProvider(stack)
    // The line stays up and answers pings; nothing is said any more after the first pieces of the answer.
    upstream.faults = { stall: 12 }
    const node = await NodeProcess.start({ provider: upstream.baseUrl }, stack)
    using crowd = await Crowd.gather(node, 50, ['listening'])
    const since = performance.now()
    const callers = crowd.guests.map((guest) => guest.caller)
    await expectToldAndGone(node, callers, since, LONGEST_SILENCE + 2_500)
    for (const { events, times, closure } of callers) {
      const last = events.findLastIndex((event) => event.type === 'response.output_audio.delta')
      expect(Number(closure?.at) - Number(times[last])).toBeGreaterThan(LONGEST_SILENCE)
    }
    await eventually(() => expect(upstream.live).toBe(0), 20_000)
  })

  test('S6 lines that are up and dead: two missed pings, and the callers are told', async () => {
    await using stack = new AsyncDisposableStack()
    const upstream = stack.use(await RawUpstream.start())
    const policy = { door: { pingEvery: '2s' as const } }
    const node = await NodeProcess.start({ provider: upstream.baseUrl, policy }, stack)
    const before = node.sockets()
    const arrivals = Array.from({ length: 50 }, () => Caller.connect(node.door(), demo.key))
    const callers = await Promise.all(arrivals)
    for (const caller of callers) stack.use(caller)
    const since = performance.now()
    for (const socket of upstream.sockets) socket.pause()
    await expectToldAndGone(node, callers, since, 3 * 2_000 + 1_500)
    // The provider would never answer a close: the node does not wait for it.
    await eventually(() => expect(node.sockets()).toBeLessThanOrEqual(before + 4), 5_000)
  })
})
