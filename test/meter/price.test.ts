import { describe, expect, test } from 'vitest'
import { dollars } from '../../src/meter/decimal.ts'
import { cost } from '../../src/meter/price.ts'
import { NOTHING } from '../../src/meter/usage.ts'
import { ms, seconds, tokens } from '../../src/units.ts'
import { customRow, rowOf, used } from '../support/prices.ts'

const costs = (...[usage, row]: Parameters<typeof cost>) => dollars(cost(usage, row).nano)

describe('prices of tokens', () => {
  // The table of pricing.md §1.2, which shows seven digits of the second example.
  test.each([
    [1, 'gpt-realtime-2.1', used({ text: 119, audio: 13 }, { text: 30, audio: 91 }, { text: 64 }), '0.0072056'],
    [2, 'gpt-realtime-2.1-mini', used({ text: 119, audio: 13 }, { text: 30, audio: 91 }, { text: 64 }), '0.00205884'],
    [
      3,
      'gpt-realtime-2.1',
      used({ text: 1200, audio: 3000 }, { text: 40, audio: 400 }, { text: 1024, audio: 2900 }),
      '0.0320336',
    ],
    [4, 'gpt-realtime-2.1', used({ text: 1200, audio: 3000 }, { text: 40, audio: 400 }), '0.12736'],
    [5, 'gpt-realtime-2.1', used({ text: 200, image: 800 }, { text: 50 }), '0.006'],
    [6, 'gpt-realtime', used({ text: 119, audio: 13 }, { text: 30, audio: 91 }, { text: 64 }), '0.0069656'],
  ])('M2 worked example %i, %s', (_, model, usage, expected) => {
    expect(costs(usage, rowOf(model))).toBe(expected)
    expect(cost(usage, rowOf(model)).estimated).toBe(false)
  })

  test('M2 one cached token of the smallest model is 60 nano-dollars, not rounded to anything', () => {
    expect(cost(used({ text: 1 }, {}, { text: 1 }), rowOf('gpt-realtime-2.1-mini')).nano).toBe(60)
  })

  test('M2 a bill names its row, and its lines say what was counted at which rate', () => {
    const bill = cost(used({ text: 119, audio: 13 }, { audio: 91 }, { text: 64 }), rowOf('gpt-realtime-2.1'))
    expect(bill.rowId).toBe('openai/gpt-realtime-2.1')
    expect(bill.lines).toEqual([
      { unit: 'textIn', quantity: 55, rate: { pico: 4_000_000, per: 1 }, pico: 220_000_000n },
      { unit: 'audioIn', quantity: 13, rate: { pico: 32_000_000, per: 1 }, pico: 416_000_000n },
      { unit: 'textCachedIn', quantity: 64, rate: { pico: 400_000, per: 1 }, pico: 25_600_000n },
      { unit: 'audioOut', quantity: 91, rate: { pico: 64_000_000, per: 1 }, pico: 5_824_000_000n },
    ])
  })

  test('M2 fractions of a nano-dollar are rounded up once, over all lines together', () => {
    // 0.1 nano-dollars for each token read or written.
    const row = customRow({ prices: { textIn: '0.0001', textOut: '0.0001' } })
    expect(cost(used({ text: 3 }, { text: 3 }), row).nano).toBe(1)
    expect(cost(used({ text: 10 }), row).nano).toBe(1)
    expect(cost(used({ text: 10 }, { text: 1 }), row).nano).toBe(2)
  })

  test('M2 without a cached price the cached part costs the full one', () => {
    const azure = rowOf('gpt-realtime-2025-08-28', 'azure')
    const usage = used({ text: 100, audio: 100, image: 100 }, {}, { text: 100, audio: 50, image: 100 })
    expect(cost(usage, azure)).toMatchObject({ nano: 100 * (4_000 + 32_000 + 5_000), estimated: false })
  })

  test('M2 a modality without a price is charged as the dearest one, never free', () => {
    const row = rowOf('gpt-4o-realtime-preview')
    expect(row.prices.imageIn).toBeUndefined()
    expect(cost(used({ image: 10 }), row)).toMatchObject({ nano: 10 * 40_000, estimated: true })
    expect(cost(used({}, { image: 10 }), row)).toMatchObject({ nano: 10 * 80_000, estimated: true })
  })

  test('M2 a request above the long-context threshold is dearer as a whole', () => {
    const row = rowOf('gpt-5.5')
    expect(cost(used({ text: 272_000 }, { text: 10 }), row).nano).toBe(272_000 * 5_000 + 10 * 30_000)
    expect(cost(used({ text: 272_001 }, { text: 10 }, { text: 1 }), row).nano).toBe(
      272_000 * 10_000 + 1 * 1_000 + 10 * 45_000,
    )
  })
})

describe('prices of time and items', () => {
  const audio = (time: number) => ({ ...NOTHING, audioMs: ms(time) })

  test('M2 audio by the minute is billed to the millisecond', () => {
    const row = rowOf('gpt-realtime-whisper')
    expect(costs(audio(60_000), row)).toBe('0.017')
    expect(costs(audio(4_200), row)).toBe('0.00119')
    expect(cost(audio(1), row).nano).toBe(284) // 283.33
  })

  test('M2 a price by the hour is not bent into one by the minute', () => {
    expect(costs(audio(3_600_000), rowOf('grok-stt', 'xai'))).toBe('0.1')
    expect(costs(audio(3_600_000), rowOf('whisper-large-v3', 'groq'))).toBe('0.111')
  })

  test('M2 a request is billed for at least the minimum, silence of nothing for nothing', () => {
    const row = rowOf('whisper-large-v3-turbo', 'groq')
    expect(cost(audio(1_000), row)).toEqual(cost(audio(10_000), row))
    expect(cost(audio(10_001), row).nano).toBeGreaterThan(cost(audio(10_000), row).nano)
    expect(cost(audio(0), row).nano).toBe(0)
  })

  test('M2 begun seconds count where the provider bills whole ones', () => {
    expect(cost(audio(4_200), rowOf('whisper-1'))).toEqual(cost(audio(5_000), rowOf('whisper-1')))
    expect(costs(audio(60_000), rowOf('whisper-1'))).toBe('0.006')
  })

  test('M2 open time costs more than stand-by', () => {
    const usage = { ...NOTHING, sessionMs: seconds(60), standbyMs: seconds(60) }
    expect(costs(usage, rowOf('gpt-live-1.1'))).toBe('0.07')
    expect(costs(usage, rowOf('gpt-live-1'))).toBe('0.1') // no stand-by rate: the same as open
    expect(costs({ ...NOTHING, sessionMs: ms(3_600_000) }, rowOf('universal-3.6-pro-realtime', 'assemblyai'))).toBe(
      '0.45',
    )
  })

  test('M2 text items cost each, beside the minutes', () => {
    const usage = { ...audio(30_000), textItems: 3 }
    expect(costs(usage, rowOf('grok-voice-latest', 'xai'))).toBe('0.052')
  })

  test('M2 tokens of a conversation that is billed by the minute are not billed too', () => {
    expect(cost(used({ audio: 100 }, { audio: 100 }), rowOf('grok-voice-latest', 'xai')).nano).toBe(0)
  })
})

describe('prices of a usage in the other unit', () => {
  test('M2 time on a model sold by tokens takes the estimate of its maker', () => {
    const usage = { ...NOTHING, audioMs: ms(60_000) }
    const bill = cost(usage, rowOf('gpt-4o-transcribe'))
    expect(bill).toMatchObject({ nano: 6_000_000, estimated: true })
    expect(bill.lines[0]?.unit).toBe('audioTimeEstimate')
  })

  test('M2 time on a model sold by tokens without an estimate becomes audio tokens', () => {
    const usage = { ...NOTHING, audioMs: ms(1_050) }
    expect(cost(usage, rowOf('gpt-realtime-2.1'))).toMatchObject({ nano: 11 * 32_000, estimated: true })
  })

  test('M2 tokens of a transcription sold by the minute become the time they stand for', () => {
    expect(cost(used({ audio: 600 }, { text: 50 }), rowOf('gpt-transcribe'))).toMatchObject({
      nano: 4_500_000,
      estimated: true,
    })
    const both = { ...used({ audio: 600 }), audioMs: ms(30_000) }
    expect(cost(both, rowOf('gpt-transcribe'))).toMatchObject({ nano: 2_250_000, estimated: false })
    const unsplit = { ...NOTHING, unsplitIn: tokens(600) }
    expect(cost(unsplit, rowOf('gpt-transcribe')).nano).toBe(4_500_000)
  })

  test('M2 a transcription in tokens costs its tokens and nothing else', () => {
    const bill = cost(used({ text: 10, audio: 28 }, { text: 10 }), rowOf('gpt-4o-mini-transcribe'))
    expect(bill).toMatchObject({ nano: 10 * 1_250 + 28 * 3_000 + 10 * 5_000, estimated: false })
  })
})
