import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dollars, formatScaled, parseScaled } from '../../src/meter/decimal.ts'
import { cost, uncached } from '../../src/meter/price.ts'
import { addUsage, MODALITIES, mapTokens, NOTHING, type Usage } from '../../src/meter/usage.ts'
import { weighted, weightsOf } from '../../src/meter/weights.ts'
import { ms, nanoUsd, tokens } from '../../src/units.ts'
import { SHEET } from '../support/prices.ts'

const n = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 2_000_000 })).map(tokens)
const counts = fc.record({ text: n, audio: n, image: n })
const tokenUsage: fc.Arbitrary<Usage> = fc
  .record({ read: counts, out: counts, share: counts, unsplitIn: n, unsplitOut: n })
  .map(({ read, out, share, unsplitIn, unsplitOut }) => ({
    ...NOTHING,
    in: read,
    cached: mapTokens(read, (all, m) => (all === 0 ? 0 : share[m] % (all + 1))),
    out,
    unsplitIn,
    unsplitOut,
  }))
const time = fc.integer({ min: 0, max: 10_000_000 }).map(ms)
const timeUsage: fc.Arbitrary<Usage> = fc
  .record({ audioMs: time, sessionMs: time, standbyMs: time, textItems: fc.nat(500) })
  .map((usage) => ({ ...NOTHING, ...usage }))
const usage = fc.oneof(tokenUsage, timeUsage)
/** Usages of one kind, because what one is measured in decides how the other is read. */
const two = fc.oneof(fc.tuple(tokenUsage, tokenUsage), fc.tuple(timeUsage, timeUsage))
const row = fc.constantFrom(...SHEET.rows)
/** Rows in which a token costs the same however many there are, and a second however long it lasts. */
const linear = fc.constantFrom(
  ...SHEET.rows.filter((r) => r.longContext === null && r.billing.minimum === 0 && r.billing.step === 0),
)

describe('properties of prices', () => {
  test('M2 a cost is a whole, never negative amount, and the sum of its lines rounded up', () => {
    fc.assert(
      fc.property(usage, row, (use, price) => {
        const bill = cost(use, price)
        expect(Number.isSafeInteger(bill.nano) && bill.nano >= 0).toBe(true)
        const sum = bill.lines.reduce((total, line) => total + line.pico, 0n)
        expect(sum <= BigInt(bill.nano) * 1_000n && BigInt(bill.nano) * 1_000n < sum + 1_000n).toBe(true)
        for (const line of bill.lines) {
          const exact = BigInt(line.quantity) * BigInt(line.rate.pico)
          const per = BigInt(line.rate.per)
          expect(line.pico * per >= exact && line.pico * per < exact + per).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('M2 more of anything never costs less', () => {
    fc.assert(
      fc.property(two, row, ([a, b], price) => {
        expect(cost(addUsage(a, b), price).nano).toBeGreaterThanOrEqual(cost(a, price).nano)
      }),
      { numRuns: 2_000 },
    )
  })

  test('M2 two usages together cost what they cost apart, but for one nano-dollar of rounding', () => {
    fc.assert(
      fc.property(two, linear, ([a, b], price) => {
        // Time turned into tokens is rounded up to a whole token each time, by far more than a nano-dollar.
        const isConverted = a.audioMs + b.audioMs > 0 && price.prices.audioTime === undefined
        fc.pre(!isConverted || price.prices.audioTimeEstimate !== undefined)
        const apart = cost(a, price).nano + cost(b, price).nano
        const together = cost(addUsage(a, b), price).nano
        expect(apart - together === 0 || apart - together === 1).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('M2 what comes from the cache never costs more, and weighs no more', () => {
    fc.assert(
      fc.property(tokenUsage, row, (use, price) => {
        expect(cost(use, price).nano).toBeLessThanOrEqual(cost(uncached(use), price).nano)
        const weights = weightsOf(price)
        expect(weighted(use, weights)).toBeLessThanOrEqual(weighted(uncached(use), weights))
      }),
    )
  })

  test('M2 nothing that was read or written in tokens is free on a model sold by tokens', () => {
    const sold = SHEET.rows.filter((r) => r.prices.textIn !== undefined)
    fc.assert(
      fc.property(tokenUsage, fc.constantFrom(...sold), (use, price) => {
        const total = MODALITIES.reduce((sum, m) => sum + use.in[m] + use.out[m], use.unsplitIn + use.unsplitOut)
        const counted = cost(use, price).lines.reduce((sum, line) => sum + line.quantity, 0)
        expect(counted).toBe(total)
        if (total > 0) expect(cost(use, price).nano).toBeGreaterThan(0)
      }),
    )
  })
})

describe('decimals', () => {
  test('M2 a decimal is read exactly and written back the same', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), fc.integer({ min: 0, max: 12 }), (units, digits) => {
        const text = formatScaled(units, digits)
        if (units < 10n ** BigInt(9 + digits)) expect(parseScaled(text, digits)).toBe(units)
        expect(BigInt(text.replace('.', '')) * 10n ** BigInt(digits - (text.split('.')[1]?.length ?? 0))).toBe(units)
      }),
    )
  })

  test.each([
    ['0.4', 6, 400_000n],
    ['0.06', 6, 60_000n],
    ['64', 6, 64_000_000n],
    ['0.017', 12, 17_000_000_000n],
    ['0.00066667', 12, 666_670_000n],
    ['1.500000', 1, 15n],
    ['0.0000001', 6, null],
    ['-1', 6, null],
    ['1e3', 6, null],
    ['.5', 6, null],
    ['5.', 6, null],
    ['', 6, null],
    [' 1', 6, null],
    ['1,5', 6, null],
  ])('M2 %s in units of 10^-%i is %s', (text, digits, expected) => {
    expect(parseScaled(text, digits)).toBe(expected)
  })

  test('L5 an amount that is no whole number within 2^53 is refused', () => {
    for (const bad of [0.5, Number.NaN, Infinity, 2 ** 53]) expect(() => nanoUsd(bad)).toThrow(RangeError)
    expect(dollars(nanoUsd(-1_500_000_000))).toBe('-1.5')
    expect(dollars(nanoUsd(0))).toBe('0')
  })
})
