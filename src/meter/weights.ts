import { type Tokens, tokens } from '../units.ts'
import { hasTokenPrices, inputRate, outputRate } from './price.ts'
import { BILLED_TOKENS, type BilledToken, type PriceRow } from './price-row.ts'
import { MODALITIES, type Usage } from './usage.ts'

/**
 * L3: what a token of each kind counts in the token bucket, in thousandths of an uncached text token read. Whole and
 * rounded up, at least 1 and at most `HEAVIEST`.
 */
export type Weights = Readonly<Record<BilledToken, number>>

const PLAIN = 1_000
const HEAVIEST = 1_000_000

/** Rows never change. */
const known = new WeakMap<PriceRow, Weights>()

/** Weights in the proportion of the row's prices; where text has no price, or none per token exists, all count alike. */
export function weightsOf(row: PriceRow): Weights {
  const found = known.get(row) ?? weigh(row)
  known.set(row, found)
  return found
}

function weigh(row: PriceRow): Weights {
  const base = BigInt(row.prices.textIn?.pico ?? 0)
  const weight = (unit: BilledToken): number => {
    if (base === 0n || !hasTokenPrices(row)) return PLAIN
    const { pico } = unit.endsWith('Out') ? outputRate(row, unit) : inputRate(row, unit)
    const milli = (BigInt(pico) * BigInt(PLAIN) + base - 1n) / base
    return Math.max(1, Math.min(HEAVIEST, Number(milli)))
  }
  return Object.fromEntries(BILLED_TOKENS.map((unit) => [unit, weight(unit)])) as Weights
}

/** What a token that a response writes counts before anybody knows of which kind it will be; in thousandths. */
export const weightOfOutput = (row: PriceRow): number => weightsOf(row).unsplitOut

/** Weighted tokens of a usage, rounded up once. The heaviest weight times the most tokens we read stays within 2^53. */
export function weighted(usage: Usage, weights: Weights): Tokens {
  const { in: read, cached, out } = usage
  const fresh = MODALITIES.reduce((sum, m) => sum + (read[m] - cached[m]) * weights[`${m}In`], 0)
  const again = MODALITIES.reduce((sum, m) => sum + cached[m] * weights[`${m}CachedIn`], 0)
  const wrote = MODALITIES.reduce((sum, m) => sum + out[m] * weights[`${m}Out`], 0)
  const unsplit = usage.unsplitIn * weights.unsplitIn + usage.unsplitOut * weights.unsplitOut
  return tokens(Math.ceil((fresh + again + wrote + unsplit) / PLAIN))
}
