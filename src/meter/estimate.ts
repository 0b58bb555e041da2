import { type NanoUsd, type Tokens, tokens } from '../units.ts'
import { type Conversation, nextInput } from './conversation.ts'
import { cost, outputRate } from './price.ts'
import type { PriceRow } from './price-row.ts'
import { NO_TOKENS, NOTHING, type TokenCount, tokensIn, type Usage } from './usage.ts'

/** What of the history comes from the provider's cache: all that may (the usual case), or nothing (what a reservation has to hold). */
export type CacheExpectation = 'all' | 'none'

/** Answer length where neither the session nor the model states one. */
const USUAL_MAX_OUT = tokens(4_096)

/** M1: what the next response uses if it says as much as it may. */
export function usageAtMost(
  talk: Conversation,
  row: PriceRow,
  cached: CacheExpectation,
  maxOutput: Tokens | null,
): Usage {
  const unsplitOut = maxOutput ?? row.maxOut ?? USUAL_MAX_OUT
  return { ...usageSoFar(talk, row, cached, NO_TOKENS), unsplitOut }
}

/** M1: what a response that is under way has used until now: all that it read, and what it has said. */
export function usageSoFar(talk: Conversation, row: PriceRow, cached: CacheExpectation, said: TokenCount): Usage {
  const { read, cacheable } = nextInput(talk, row)
  return {
    ...NOTHING,
    in: read,
    cached: cached === 'all' ? cacheable : NO_TOKENS,
    out: said,
    estimated: true,
  }
}

/** The most tokens the next response may write without passing `budget`; 0 where what it reads already does. */
export function outputThatFits(talk: Conversation, row: PriceRow, cached: CacheExpectation, budget: NanoUsd): Tokens {
  const least = usageSoFar(talk, row, cached, NO_TOKENS)
  const left = budget - cost(least, row).nano
  if (left <= 0) return tokens(0)
  const limit = row.maxOut ?? USUAL_MAX_OUT
  const long = row.longContext !== null && tokensIn(least) > row.longContext.above ? row.longContext.outMilli : 1_000
  const pico = (BigInt(outputRate(row, 'unsplitOut').pico) * BigInt(long) + 999n) / 1_000n
  if (pico === 0n) return limit
  const fits = (BigInt(left) * 1_000n) / pico
  return fits >= BigInt(limit) ? limit : tokens(Number(fits))
}
