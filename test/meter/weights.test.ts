import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MOST_TOKENS } from '../../src/meter/read-usage.ts'
import { NOTHING } from '../../src/meter/usage.ts'
import { weighted, weightsOf } from '../../src/meter/weights.ts'
import { tokens } from '../../src/units.ts'
import { count, customRow, rowOf, SHEET, used } from '../support/prices.ts'

test('L3 a token weighs what it costs beside a text token that is read', () => {
  expect(weightsOf(rowOf('gpt-realtime-2.1'))).toEqual({
    textIn: 1_000,
    textCachedIn: 100,
    textOut: 6_000,
    audioIn: 8_000,
    audioCachedIn: 100,
    audioOut: 16_000,
    imageIn: 1_250,
    imageCachedIn: 125,
    imageOut: 16_000,
    unsplitIn: 8_000,
    unsplitOut: 16_000,
  })
})

test('L3 weights are rounded up: audio of the mini model is 16 ⅔ text tokens', () => {
  expect(weightsOf(rowOf('gpt-realtime-2.1-mini'))).toMatchObject({
    audioIn: 16_667,
    audioOut: 33_334,
    textCachedIn: 100,
  })
})

test('L3 where nothing has a price per token, all tokens weigh alike', () => {
  for (const row of [rowOf('gpt-live-1'), customRow({ prices: { textIn: '0', audioIn: '5' } })]) {
    expect(new Set(Object.values(weightsOf(row)))).toEqual(new Set([1_000]))
  }
})

test('L3 a usage weighs its parts, cached ones less, rounded up once', () => {
  const weights = weightsOf(rowOf('gpt-realtime-2.1'))
  const usage = used({ text: 119, audio: 13 }, { text: 30, audio: 91 }, { text: 64 })
  expect(weighted(usage, weights)).toBe(Math.ceil(55 + 6.4 + 13 * 8 + 30 * 6 + 91 * 16))
  expect(weighted({ ...NOTHING, unsplitIn: tokens(10), unsplitOut: tokens(10) }, weights)).toBe(10 * 8 + 10 * 16)
})

test('L3 the heaviest usage there can be is still a whole number', () => {
  const most = count({ text: MOST_TOKENS, audio: MOST_TOKENS, image: MOST_TOKENS })
  const steep = customRow({ prices: { textIn: '0.000001', audioIn: '1000', audioOut: '1000' } })
  fc.assert(
    fc.property(fc.constantFrom(...SHEET.rows, steep), (row) => {
      const all = {
        ...NOTHING,
        in: most,
        out: most,
        unsplitIn: tokens(MOST_TOKENS),
        unsplitOut: tokens(2 * MOST_TOKENS),
      }
      expect(Number.isSafeInteger(weighted(all, weightsOf(row)))).toBe(true)
    }),
  )
})
