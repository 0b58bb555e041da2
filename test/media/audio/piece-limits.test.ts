import { expect, test } from 'vitest'
import { pieceLimits } from '../../../src/media/audio/piece-limits.ts'
import { ms } from '../../../src/units.ts'

test.each([
  ['openai', null, 'gpt-4o-transcribe', 480_000, 0],
  ['openai', null, 'gpt-4o-mini-transcribe-2025-12-15', 480_000, 0],
  ['openai', null, 'gpt-4o-transcribe-diarize', 480_000, 0],
  ['openai', null, 'gpt-transcribe', 480_000, 0],
  ['azure', null, 'my-deployment', 480_000, 0],
  ['openai', null, 'whisper-1', 720_000, 0],
  ['openai-compatible', 'api.groq.com', 'whisper-large-v3-turbo', 720_000, 10_000],
  ['openai-compatible', 'speech.example.com', 'whisper-large-v3', 720_000, 0],
])('Q3 %s at %s, %s: pieces of %i ms, billed as %i at least', (type, host, model, duration, billedAtLeast) => {
  expect(pieceLimits({ type, host, model })).toMatchObject({ duration, billedAtLeast, bytes: 24_000_000 })
})

test('Q3 a caller may have shorter pieces, never longer ones', () => {
  const listener = { type: 'openai', host: null, model: 'gpt-4o-transcribe' }
  expect(pieceLimits(listener, ms(60_000)).duration).toBe(60_000)
  expect(pieceLimits(listener, ms(3_600_000)).duration).toBe(480_000)
})
