import { expect, test } from 'vitest'
import { MOST_MOMENTS, SessionTimeline } from '../../src/broker/live/session-timeline.ts'
import { ManualClock } from '../support/manual-clock.ts'

test('V2 a time line keeps the newest moments, and says how many it has forgotten', () => {
  const clock = new ManualClock()
  const line = new SessionTimeline(clock)
  const begin = clock.now()
  for (let i = 0; i < MOST_MOMENTS + 7; i++) {
    line.caller('response.create')
    clock.pass(1)
  }
  const { entries, forgotten } = line.view()
  expect(forgotten).toBe(7)
  expect(entries.map((entry) => entry.at - begin)).toEqual(Array.from({ length: MOST_MOMENTS }, (_, i) => i + 7))
})

test('V2 nothing that a peer could write into an event comes into it', () => {
  const line = new SessionTimeline(new ManualClock())
  line.caller('my secret word')
  line.caller('input_audio_buffer.append')
  line.provider('error', { error: { code: 'my secret word', message: 'my secret word' } })
  line.provider('response.done', { response: { status: 'my secret word', output: ['my secret word'] } })
  expect(JSON.stringify(line.view())).not.toContain('secret')
  expect(line.view().entries.map(({ type, note }) => [type, note])).toEqual([
    ['error', null],
    ['response.done', null],
  ])
})

test('V2 it has the tokens of an answer, what was booked, and what was throttled', () => {
  const line = new SessionTimeline(new ManualClock())
  const usage = { input_tokens: 12, output_tokens: 34 }
  line.provider('response.done', { response: { status: 'completed', usage } })
  line.parley({
    ...{ type: 'parley.usage', kind: 'response', id: 'resp_1', input_tokens: 12, cached_tokens: 0 },
    ...{ output_tokens: 34, cost_nano_usd: 56, session_cost_nano_usd: 56, estimated: false },
  })
  line.parley({ type: 'parley.throttled', action: 'delayed', account: 'tenant', limit: 'tokens', wait_ms: 7 })
  line.parley({ type: 'parley.pong' })
  expect(line.throttled).toBe(1)
  expect(line.view().entries).toMatchObject([
    { note: 'completed', input_tokens: 12, output_tokens: 34, cost_nano_usd: null },
    { note: 'response', input_tokens: 12, output_tokens: 34, cost_nano_usd: 56 },
    { note: 'delayed: tokens of the tenant', cost_nano_usd: null },
  ])
})
