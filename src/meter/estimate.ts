import { addNano, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts'
import { type Conversation, nextInput } from './conversation.ts'
import { type Cost, cost, outputRate } from './price.ts'
import type { PriceRow } from './price-row.ts'
import { NO_TOKENS, NOTHING, type TokenCount, tokensIn, tokensOut, type Usage } from './usage.ts'

/** What of the history comes from the provider's cache: all that may (the usual case), or nothing (what a reservation has to hold). */
export type CacheExpectation = 'all' | 'none'

/** A usage and its price. */
export interface Priced {
  readonly usage: Usage
  readonly cost: Cost
}

export interface NextResponse {
  /** What it costs if it says nothing: the whole context is read again. */
  readonly least: Priced
  /** What it costs if it says as much as it may. */
  readonly most: Priced
}

/** Answer length where neither the session nor the model states one. */
const USUAL_MAX_OUT = tokens(4_096)

/** M1: what the next response of a conversation costs, before it starts. `maxOutput` null is the model's own limit. */
export function nextResponse(
  talk: Conversation,
  row: PriceRow,
  expect: { readonly cached: CacheExpectation; readonly maxOutput: Tokens | null },
): NextResponse {
  const least = soFar(talk, row, expect.cached, NO_TOKENS)
  const most = { ...least.usage, unsplitOut: expect.maxOutput ?? row.maxOut ?? USUAL_MAX_OUT }
  return { least, most: { usage: most, cost: cost(most, row) } }
}

/** M1: what a response that is under way has cost until now: all that it read, and what it has said. */
export function soFar(talk: Conversation, row: PriceRow, cached: CacheExpectation, said: TokenCount): Priced {
  const { read, cacheable } = nextInput(talk, row)
  const usage: Usage = {
    ...NOTHING,
    in: read,
    cached: cached === 'all' ? cacheable : NO_TOKENS,
    out: said,
    estimated: true,
  }
  return { usage, cost: cost(usage, row) }
}

/** The most tokens the next response may write without passing `budget`; 0 where what it reads already does. */
export function outputThatFits(talk: Conversation, row: PriceRow, cached: CacheExpectation, budget: NanoUsd): Tokens {
  const { least } = nextResponse(talk, row, { cached, maxOutput: tokens(0) })
  const left = budget - least.cost.nano
  if (left <= 0) return tokens(0)
  const limit = row.maxOut ?? USUAL_MAX_OUT
  const long =
    row.longContext !== null && tokensIn(least.usage) > row.longContext.above ? row.longContext.outMilli : 1_000
  const pico = (BigInt(outputRate(row, 'unsplitOut').pico) * BigInt(long) + 999n) / 1_000n
  if (pico === 0n) return limit
  const fits = (BigInt(left) * 1_000n) / pico
  return fits >= BigInt(limit) ? limit : tokens(Number(fits))
}

/** How far an estimate was off: positive where it was too high. */
export interface Drift {
  readonly tokensIn: number
  readonly tokensOut: number
  readonly nano: NanoUsd
}

/** M1: compares an estimate with what the provider then said. The caller books the truth and keeps this as a metric. */
export function correct(estimate: Priced, truth: Priced): Drift {
  return {
    tokensIn: tokensIn(estimate.usage) - tokensIn(truth.usage),
    tokensOut: tokensOut(estimate.usage) - tokensOut(truth.usage),
    nano: addNano(estimate.cost.nano, nanoUsd(-truth.cost.nano)),
  }
}
