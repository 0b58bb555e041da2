import { expect, test } from 'vitest'
import { cachedInput, idleCut, silenceNotSent } from '../../src/meter/savings.ts'
import { ms, seconds, tokens } from '../../src/units.ts'
import { rowOf, used } from '../support/prices.ts'

test('M4 silence not sent is worth its minutes where audio is billed by the minute', () => {
  expect(silenceNotSent(seconds(30), rowOf('gpt-realtime-translate'), false)).toEqual({
    kind: 'silence_not_sent',
    quantity: 30_000,
    unit: 'ms',
    paid: 0,
    otherwise: 17_000_000,
    saved: 17_000_000,
    counterfactual: 'silence_billed_by_the_minute',
    creditedTo: 'parley',
    rowId: 'openai/gpt-realtime-translate',
  })
})

test('M4 on a model sold by tokens silence saves only what would have been committed', () => {
  const row = rowOf('gpt-realtime-2.1')
  expect(silenceNotSent(seconds(10), row, true)).toMatchObject({
    saved: 100 * 32_000,
    counterfactual: 'silence_committed_as_audio',
  })
  expect(silenceNotSent(seconds(10), row, false)).toMatchObject({ saved: 0, counterfactual: 'not_billed' })
})

test('M4 no saving is claimed for silence that is not billed, or where the clock is', () => {
  const nova = rowOf('amazon.nova-2-sonic-v1:0', 'aws', 'us')
  expect(silenceNotSent(seconds(10), nova, true)).toMatchObject({ saved: 0, counterfactual: 'not_billed' })
  expect(silenceNotSent(seconds(10), rowOf('gpt-live-1'), true).saved).toBe(0)
})

test('M4 an idle cut is worth the open time it ended, or the audio that still streamed', () => {
  expect(idleCut(seconds(60), rowOf('gpt-live-1.1'), false)).toMatchObject({
    saved: 50_000_000,
    counterfactual: 'session_left_open',
  })
  const grok = rowOf('grok-voice-latest', 'xai')
  expect(idleCut(seconds(60), grok, true).saved).toBe(80_000_000)
  expect(idleCut(seconds(60), grok, false).saved).toBe(0)
  expect(idleCut(seconds(60), rowOf('gpt-realtime-2.1'), true).saved).toBe(0)
})

test('M4 the minimum of a request and whole steps do not inflate a saving', () => {
  expect(silenceNotSent(seconds(1), rowOf('whisper-large-v3', 'groq'), false).saved).toBe(30_834) // 0.111 / 3600, up
  expect(idleCut(ms(500), rowOf('gpt-live-1'), false).saved).toBe(416_667)
})

test("M4 cached input is the provider's doing, and an unclear part of it saved nothing", () => {
  const row = rowOf('gpt-realtime-2.1')
  const usage = used({ text: 100, audio: 100 }, { audio: 10 }, { text: 50, audio: 80 })
  expect(cachedInput(usage, row)).toMatchObject({
    quantity: 130,
    unit: 'tokens',
    saved: 50 * 3_600 + 80 * 31_600,
    creditedTo: 'provider',
  })
  expect(cachedInput({ ...used({ text: 100, audio: 100 }), cachedUnsplit: tokens(64) }, row).saved).toBe(0)
})
