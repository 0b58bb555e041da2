import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Loopback } from '../../src/upstream/loopback/server.ts'
import { Caller } from '../support/caller.ts'
import { voices } from '../support/parley.ts'

test('M3 the loopback provider bills what it had generated when the line was lost, as a provider does', async () => {
  await voices.ready
  await using loopback = await Loopback.start({ listen: { port: 0 }, clock: systemClock, voices, speed: 1 })
  const url = `${loopback.baseUrl.replace('http', 'ws')}/realtime?model=gpt-realtime`
  const caller = await Caller.connect(url, 'any')
  void caller.ask('speak for 20 s').catch(() => undefined)
  const { response_id } = await caller.next('response.output_audio.delta')
  caller.vanish()
  while (loopback.live > 0) await new Promise(setImmediate)
  expect(loopback.bills).toMatchObject([{ kind: 'response', id: response_id }])
  const [bill] = loopback.bills
  expect(bill?.usage.output_tokens).toBeGreaterThan(0)
  expect(bill?.usage.output_tokens).toBeLessThan(100)
  expect([...loopback.closures]).toEqual([[bill?.session, { at: expect.any(Number), code: 1006 }]])
})
