import { describe, expect, test } from 'vitest'
import { PriceSheet, PriceSheetError } from '../../src/meter/price-sheet.ts'
import { on, SHEET, TODAY } from '../support/prices.ts'

const id = (...args: Parameters<PriceSheet['priceFor']>) => SHEET.priceFor(...args)?.id ?? null
const row = (fields: Record<string, unknown>) => ({
  id: 'x/m',
  provider: 'x',
  model: 'm',
  kind: 'realtime',
  prices: { textIn: '1' },
  ...fields,
})
const sheet = (...rows: unknown[]) => ({ version: 1, rows })

function problemsOf(base: unknown, override?: unknown): string[] {
  try {
    PriceSheet.load(base, override)
  } catch (error) {
    if (error instanceof PriceSheetError) return error.problems.map((p) => `${p.path}: ${p.message}`)
    throw error
  }
  return []
}

describe('finding a price', () => {
  test.each([
    ['openai', 'gpt-realtime-2.1', 'openai/gpt-realtime-2.1'],
    ['openai', 'gpt-realtime-2025-08-28', 'openai/gpt-realtime'], // listed as an alias
    ['openai', 'gpt-realtime-2.1-2026-09-15', 'openai/gpt-realtime-2.1'], // a snapshot nobody listed
    ['openai', 'gpt-audio', 'openai/gpt-audio-1.5'],
    ['azure', 'gpt-realtime', 'azure/gpt-realtime-2025-08-28'],
    ['google', 'gemini-live-2.5-flash', 'google/gemini-2.5-flash-native-audio'],
    ['xai', 'grok-voice-latest', 'xai/grok-voice-think-fast-2.0'],
    ['openai', 'gpt-realtime-3', null],
    ['openai', 'gpt-realtime-2.1-', null],
    ['openai', '*', null],
    ['nobody', 'gpt-realtime', null],
    ['openai', '__proto__', null],
  ])('M2 %s %s is priced by %s', (provider, model, expected) => {
    expect(id(provider, model, TODAY)).toBe(expected)
  })

  test('M2 the price is that of the day, to the millisecond', () => {
    const midnight = on('2026-07-30')
    const before = SHEET.priceFor('openai', 'gpt-5.6-terra', (midnight - 1) as typeof midnight)
    const after = SHEET.priceFor('openai', 'gpt-5.6-terra', midnight)
    expect(before?.prices.textIn).toEqual({ pico: 2_500_000, per: 1 })
    expect(after?.prices.textIn).toEqual({ pico: 2_000_000, per: 1 })
    expect([before?.id, after?.id]).toEqual([
      'openai/gpt-5.6-terra#before-2026-07-30',
      'openai/gpt-5.6-terra#2026-07-30',
    ])
  })

  test('M2 a region has its own price; another region is never guessed', () => {
    const nova = 'amazon.nova-2-sonic-v1:0'
    expect(id('aws', nova, TODAY, 'ap-northeast-1')).toBe(`aws/${nova}@ap-northeast-1`)
    expect(id('aws', nova, TODAY)).toBe(`aws/${nova}@us`)
    expect(id('aws', nova, TODAY, 'eu-west-1')).toBeNull()
    expect(id('openai', 'gpt-realtime', TODAY, 'eu-west-1')).toBe('openai/gpt-realtime')
  })

  test('M2 loopback is priced as the model it plays, and by a row of its own where it plays none', () => {
    expect(id('loopback', 'gpt-realtime-2.1-mini', TODAY)).toBe('openai/gpt-realtime-2.1-mini')
    expect(id('loopback', 'loopback', TODAY)).toBe('loopback/*')
    const own = PriceSheet.load(undefined, sheet(row({ id: 'mine', provider: 'loopback', model: 'gpt-realtime' })))
    expect(own.priceFor('loopback', 'gpt-realtime', TODAY)?.id).toBe('mine')
  })
})

describe("an operator's own prices", () => {
  test('M2 a row with the id of ours replaces it', () => {
    const mine = row({ id: 'openai/gpt-realtime', provider: 'openai', model: 'gpt-realtime', prices: { textIn: '3' } })
    const changed = PriceSheet.load(undefined, sheet(mine))
    expect(changed.rows).toHaveLength(SHEET.rows.length)
    expect(changed.priceFor('openai', 'gpt-realtime', TODAY)?.prices).toEqual({ textIn: { pico: 3_000_000, per: 1 } })
    expect(changed.priceFor('openai', 'gpt-realtime', TODAY)?.confidence).toBe('operator')
  })

  test('M2 a new row adds a model; one that begins later takes over on its day', () => {
    const added = PriceSheet.load(
      undefined,
      sheet(
        row({ id: 'mine', model: 'house-model' }),
        row({ id: 'mine-2027', model: 'house-model', validFrom: '2027-01-01', prices: { textIn: '2' } }),
        row({
          id: 'discount',
          provider: 'openai',
          model: 'gpt-realtime',
          validFrom: '2026-12-01',
          validTo: '2027-01-01',
        }),
      ),
    )
    expect(added.priceFor('x', 'house-model', on('2026-12-31'))?.id).toBe('mine')
    expect(added.priceFor('x', 'house-model', on('2027-01-01'))?.id).toBe('mine-2027')
    const ids = ['2026-11-30', '2026-12-01', '2027-01-01'].map(
      (d) => added.priceFor('openai', 'gpt-realtime', on(d))?.id,
    )
    expect(ids).toEqual(['openai/gpt-realtime', 'discount', 'openai/gpt-realtime'])
  })

  test('M2 a row of theirs goes before a dated one of ours', () => {
    const mine = row({ id: 'mine', provider: 'openai', model: 'gpt-5.6-terra', kind: 'vision' })
    expect(PriceSheet.load(undefined, sheet(mine)).priceFor('openai', 'gpt-5.6-terra', TODAY)?.id).toBe('mine')
  })
})

describe('a wrong price sheet', () => {
  test('M2 every problem of both files is reported at once, with its path', () => {
    const problems = problemsOf(
      sheet(row({ prices: { textIn: 0.4 } }), row({ id: 'b', kind: 'magic' })),
      sheet(row({ prices: { textin: '1' } }), row({ id: 'c', model: 'c', validFrom: '2026-13-01' })),
    )
    expect(problems).toHaveLength(4)
    expect(problems[0]).toMatch(/^base\.rows\[0\]\.prices\.textIn: .*in quotes/)
    expect(problems[1]).toMatch(/^base\.rows\[1\]\.kind: /)
    expect(problems[2]).toMatch(/^override\.rows\[0\]\.prices: .*textin/)
    expect(problems[3]).toMatch(/^override\.rows\[1\]\.validFrom: expected a day/)
  })

  test.each([
    ['no price at all', { prices: {} }, 'prices'],
    ['a price finer than a picodollar', { prices: { textIn: '0.0000001' } }, 'prices.textIn'],
    ['a negative price', { prices: { textIn: '-1' } }, 'prices.textIn'],
    ['a price that is a typing mistake', { prices: { textIn: '1000.1' } }, 'prices.textIn'],
    ['time without a period', { prices: { audioTime: '0.017' } }, 'prices.audioTime'],
    ['too dear a minute', { prices: { audioTime: '601/h' } }, 'prices.audioTime'],
    ['cached dearer than uncached', { prices: { textIn: '1', textCachedIn: '2' } }, 'prices.textCachedIn'],
    ['cached without uncached', { prices: { textIn: '1', audioCachedIn: '1' } }, 'prices.audioCachedIn'],
    ['stand-by without open time', { prices: { standbyTime: '1/h' } }, 'prices.standbyTime'],
    ['an end before the start', { validFrom: '2026-02-01', validTo: '2026-02-01' }, 'validTo'],
    ['an answer as long as the window', { contextIn: 100, maxOut: 100 }, 'maxOut'],
    ['a factor below one', { longContext: { aboveInputTokens: 10, in: '0.5', out: '1' } }, 'longContext.in'],
  ])('M2 %s', (_, fields, path) => {
    expect(problemsOf(sheet(row(fields)))).toEqual([expect.stringMatching(`^base\\.rows\\[0\\]\\.${path}: `)])
  })

  test('M2 two rows may not share an id, a beginning, or a name', () => {
    expect(problemsOf(sheet(row({}), row({})))).toEqual([
      expect.stringContaining("rows[1].id: there is another row 'x/m'"),
      expect.stringContaining('rows[1].validFrom: the price of row'),
    ])
    expect(problemsOf(sheet(row({}), row({ id: 'n', model: 'n', aliases: ['m'] })))).toEqual([
      expect.stringContaining("rows[1].aliases: x/m is also a name of the model 'm'"),
    ])
  })

  test('M2 what is no sheet is one problem, not a crash', () => {
    for (const bad of [null, 7, [], { version: 2, rows: [] }]) expect(problemsOf(bad).length).toBeGreaterThan(0)
  })
})

describe('the sheet that comes with Parley', () => {
  test('M2 every price has a source and a date, and every model of speech is there', () => {
    for (const r of SHEET.rows) expect([r.id, r.source !== 'operator' && r.sourceDate !== null]).toEqual([r.id, true])
    const kinds = Object.groupBy(SHEET.rows, (r) => r.kind)
    const sizes = Object.fromEntries(Object.entries(kinds).map(([kind, rows]) => [kind, rows?.length]))
    expect(sizes).toEqual({
      realtime: 23, // loopback's among them
      live: 2,
      translation: 2,
      transcription: 17,
      transcription_stream: 9,
      audio_chat: 2,
      speech: 1,
      vision: 42, // three of them former prices
      image_generation: 3,
    })
  })

  test('M2 an estimate by the minute agrees with the tokens it stands for', () => {
    // OpenAI counts 600 audio tokens a minute: 600 × $6 per million is $0.0036, and the rest of $0.006 is text.
    for (const r of SHEET.rows.filter(
      (r) => r.prices.audioTimeEstimate && r.prices.audioIn && r.provider === 'openai',
    )) {
      const tokensOfAMinute = 600 * (r.prices.audioIn?.pico ?? 0)
      expect(tokensOfAMinute).toBeLessThan(r.prices.audioTimeEstimate?.pico ?? 0)
    }
  })
})
