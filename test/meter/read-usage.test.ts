import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cost } from '../../src/meter/price.ts'
import {
  MOST_MS,
  MOST_TOKENS,
  readChatUsage,
  readResponseUsage,
  readSessionUsage,
  readTranscriptionUsage,
} from '../../src/meter/read-usage.ts'
import { MODALITIES, NOTHING, tokensIn, tokensOut } from '../../src/meter/usage.ts'
import { count, customRow, rowOf, SHEET } from '../support/prices.ts'

/** As the live service writes it (realtime-protocol.md §4.3). */
const RECORDED = {
  total_tokens: 253,
  input_tokens: 132,
  output_tokens: 121,
  input_token_details: {
    text_tokens: 119,
    audio_tokens: 13,
    image_tokens: 0,
    cached_tokens: 64,
    cached_tokens_details: { text_tokens: 64, audio_tokens: 0, image_tokens: 0 },
  },
  output_token_details: { text_tokens: 30, audio_tokens: 91 },
}

describe('usage of a response', () => {
  test('M1 the recorded shape is read part by part, exactly', () => {
    expect(readResponseUsage(RECORDED)).toEqual({
      ...NOTHING,
      in: count({ text: 119, audio: 13 }),
      cached: count({ text: 64 }),
      out: count({ text: 30, audio: 91 }),
    })
  })

  test('M1 both spellings of the details keys are the same usage', () => {
    const { input_token_details, output_token_details, ...totals } = RECORDED
    const other = { ...totals, input_tokens_details: input_token_details, output_tokens_details: output_token_details }
    expect(readResponseUsage(other)).toEqual(readResponseUsage(RECORDED))
  })

  test('M1 no usage is not the same as a usage of zeros', () => {
    for (const nothing of [null, undefined, 'x', 7, []]) expect(readResponseUsage(nothing)).toBeNull()
    expect(readResponseUsage({})).toEqual(NOTHING)
    expect(readResponseUsage({ total_tokens: 0, input_tokens: 0, output_tokens: 0 })).toEqual(NOTHING)
  })

  test('M1 cached tokens without their split are kept apart and charged as uncached', () => {
    const usage = readResponseUsage({
      input_tokens: 300,
      input_token_details: { text_tokens: 100, audio_tokens: 200, cached_tokens: 128 },
    })!
    expect(usage).toMatchObject({ cachedUnsplit: 128, cached: count({}), in: count({ text: 100, audio: 200 }) })
    const bill = cost(usage, rowOf('gpt-realtime-2.1'))
    expect(bill).toMatchObject({ nano: 100 * 4_000 + 200 * 32_000, estimated: true })
  })

  test('M1 cached tokens without their split are known where only one modality was read', () => {
    const usage = readResponseUsage({ input_token_details: { text_tokens: 100, cached_tokens: 64 } })
    expect(usage).toMatchObject({ cached: count({ text: 64 }), cachedUnsplit: 0, estimated: false })
  })

  test('M1 totals without details are charged at the dearest modality, as an estimate', () => {
    const usage = readResponseUsage({ total_tokens: 30, input_tokens: 10, output_tokens: 20 })!
    expect(usage).toMatchObject({ unsplitIn: 10, unsplitOut: 20, estimated: true })
    expect(cost(usage, rowOf('gpt-realtime-2.1'))).toMatchObject({ nano: 10 * 32_000 + 20 * 64_000, estimated: true })
  })

  test('M1 of totals and parts that disagree the larger is booked', () => {
    const short = readResponseUsage({ ...RECORDED, input_tokens: 200, output_tokens: 150, total_tokens: 350 })!
    expect([tokensIn(short), tokensOut(short), short.estimated]).toEqual([200, 150, true])
    const long = readResponseUsage({ ...RECORDED, input_tokens: 1, output_tokens: 1, total_tokens: 2 })!
    expect([tokensIn(long), tokensOut(long)]).toEqual([132, 121])
    const total = readResponseUsage({ total_tokens: 500 })!
    expect([tokensIn(total), tokensOut(total), total.estimated]).toEqual([0, 500, true])
  })

  test('M1 reasoning tokens that stand beside the text are text', () => {
    const usage = readResponseUsage({
      output_tokens: 100,
      output_token_details: { text_tokens: 20, audio_tokens: 30, reasoning_tokens: 50 },
    })
    expect(usage).toMatchObject({ out: count({ text: 70, audio: 30 }), unsplitOut: 0, estimated: false })
  })

  test('M1 no more tokens are kept as cached without their split than were read', () => {
    const details = { text_tokens: 10, audio_tokens: 5, cached_tokens: 99, cached_tokens_details: { text_tokens: 4 } }
    expect(readResponseUsage({ input_token_details: details })).toMatchObject({
      cached: count({ text: 4 }),
      cachedUnsplit: 11,
    })
  })

  test('M1 more cached than read is cut to what was read', () => {
    const usage = readResponseUsage({
      input_token_details: {
        text_tokens: 10,
        audio_tokens: 5,
        cached_tokens_details: { text_tokens: 99, audio_tokens: 1 },
      },
    })
    expect(usage).toMatchObject({ cached: count({ text: 10, audio: 1 }), estimated: true })
  })
})

describe('usage of a transcription and of a session', () => {
  test('M1 the tokens shape', () => {
    const usage = readTranscriptionUsage({
      type: 'tokens',
      total_tokens: 48,
      input_tokens: 38,
      output_tokens: 10,
      input_token_details: { text_tokens: 10, audio_tokens: 28 },
    })
    expect(usage).toEqual({ ...NOTHING, in: count({ text: 10, audio: 28 }), out: count({ text: 10 }) })
  })

  test.each([
    [4.2, 4_200],
    [1.1, 1_100],
    [0.0001, 1],
    [59.9999, 60_000],
    ['4.2', 4_200],
    [0, 0],
  ])('M1 the duration shape: %s s are %s ms, fractions rounded up and float noise not', (seconds, expected) => {
    expect(readTranscriptionUsage({ type: 'duration', seconds })).toEqual({ ...NOTHING, audioMs: expected })
    expect(readSessionUsage({ seconds })).toEqual({ ...NOTHING, sessionMs: expected })
  })
})

describe('usage from hostile hands', () => {
  const nasty = fc.oneof(
    fc.constantFrom(-1, -0, Number.NaN, Infinity, -Infinity, 1e21, 0.5, '12', '-3', '1e9', 'x', '', true, null),
    fc.constantFrom(undefined, {}, [], [5], MOST_TOKENS, MOST_TOKENS + 1, Number.MAX_SAFE_INTEGER),
    fc.double(),
    fc.anything(),
  )
  const parts = fc.record({ text_tokens: nasty, audio_tokens: nasty, image_tokens: nasty }, { requiredKeys: [] })
  const input = fc.record(
    {
      text_tokens: nasty,
      audio_tokens: nasty,
      image_tokens: nasty,
      cached_tokens: nasty,
      cached_tokens_details: fc.oneof(parts, nasty),
    },
    { requiredKeys: [] },
  )
  const output = fc.record({ text_tokens: nasty, audio_tokens: nasty, reasoning_tokens: nasty }, { requiredKeys: [] })
  const usage = fc.record(
    {
      total_tokens: nasty,
      input_tokens: nasty,
      output_tokens: nasty,
      seconds: nasty,
      input_token_details: fc.oneof(input, nasty),
      input_tokens_details: fc.oneof(input, nasty),
      output_token_details: fc.oneof(output, nasty),
    },
    { requiredKeys: [] },
  )
  const dearest = customRow({
    prices: { textIn: '1000', textOut: '1000', audioOut: '1000', imageIn: '1000', sessionTime: '10/min' },
    longContext: { aboveInputTokens: 1, in: '10', out: '10' },
  })
  const rows = [...SHEET.rows, dearest]

  test('M1 nothing throws, nothing is negative or a fraction, and nothing is below what it says', () => {
    fc.assert(
      fc.property(usage, fc.constantFrom(...rows), (raw, row) => {
        for (const read of [readResponseUsage(raw), readTranscriptionUsage(raw), readSessionUsage(raw)]) {
          if (read === null) throw new Error('an object is always read')
          for (const n of [...MODALITIES.flatMap((m) => [read.in[m], read.cached[m], read.out[m]]), read.unsplitIn]) {
            expect(Number.isSafeInteger(n) && n >= 0).toBe(true)
          }
          for (const m of MODALITIES) expect(read.cached[m]).toBeLessThanOrEqual(read.in[m])
          expect(read.cachedUnsplit).toBeLessThanOrEqual(tokensIn(read))
          expect(read.audioMs).toBeLessThanOrEqual(MOST_MS)
          expect(cost(read, row).nano).toBeGreaterThanOrEqual(0)
        }
        const response = readResponseUsage(raw)!
        const says = (value: unknown) => (typeof value === 'number' && value >= 0 ? Math.min(MOST_TOKENS, value) : 0)
        expect(tokensIn(response)).toBeGreaterThanOrEqual(says(raw.input_tokens))
        expect(tokensOut(response)).toBeGreaterThanOrEqual(says(raw.output_tokens))
      }),
      { numRuns: 2_000 },
    )
  })

  test('M1 the largest usage that can be read at the highest price there can be still has a price', () => {
    const all = { text_tokens: 1e99, audio_tokens: 1e99, image_tokens: 1e99 }
    const raw = {
      total_tokens: 1e99,
      input_tokens: 1e99,
      output_tokens: 1e99,
      input_token_details: all,
      output_token_details: all,
    }
    expect(cost(readResponseUsage(raw)!, dearest).nano).toBe(6 * MOST_TOKENS * 10_000_000)
  })
})

describe('usage of requests over HTTP', () => {
  test('M1 of a chat completion: pictures count as text, cached tokens as read from the cache', () => {
    const usage = readChatUsage({
      ...{ prompt_tokens: 1_000, completion_tokens: 50, total_tokens: 1_050 },
      prompt_tokens_details: { cached_tokens: 128, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 20 },
    })
    expect(usage).toMatchObject({ in: { text: 1_000 }, cached: { text: 128 }, out: { text: 50 }, estimated: false })
  })

  test('M1 of a response, which splits nothing by modality', () => {
    const usage = readChatUsage({
      ...{ input_tokens: 300, output_tokens: 40, total_tokens: 340 },
      input_tokens_details: { cached_tokens: 0 },
      output_tokens_details: { reasoning_tokens: 0 },
    })
    expect(usage).toMatchObject({ in: { text: 300 }, out: { text: 40 }, unsplitIn: 0, unsplitOut: 0, estimated: false })
  })

  test('M1 a total above its parts is charged, and said to be a guess', () => {
    const usage = readChatUsage({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 20 })
    expect(usage).toMatchObject({ unsplitOut: 5, estimated: true })
  })

  test('M1 no usage is not zero', () => {
    expect([readChatUsage(null), readChatUsage(undefined), readChatUsage([])]).toEqual([null, null, null])
    expect(readChatUsage({ prompt_tokens: -1, completion_tokens: 'x' })).toMatchObject({ estimated: true })
  })
})
