import { type Ms, ms, type NanoUsd, nanoUsd } from '../units.ts'
import { heardTokens } from './conversation.ts'
import { cost, hasTokenPrices, uncached } from './price.ts'
import type { PriceRow } from './price-row.ts'
import { NO_TOKENS, NOTHING, sumTokens, type Usage } from './usage.ts'

/** M4: something that was not bought, beside what it would have cost. */
export interface Saving {
  readonly kind:
    | 'silence_not_sent'
    | 'idle_cut'
    | 'cached_input'
    /** Of media: silence cut out, pixels left out, answers that had been bought before, and what short pieces cost more. */
    | 'silence_removed'
    | 'pixels_removed'
    | 'answer_kept'
    | 'billing_minimum'
  readonly quantity: number
  readonly unit: 'ms' | 'tokens' | 'answers'
  /** What was paid for it, and what would have been paid. */
  readonly paid: NanoUsd
  readonly otherwise: NanoUsd
  readonly saved: NanoUsd
  readonly counterfactual: Counterfactual
  /** Whose doing it was: a cache is the provider's, and is not counted as ours. */
  readonly creditedTo: 'parley' | 'provider'
  /** The row of the price sheet both amounts come from. */
  readonly rowId: string
}

/** What would have happened otherwise. */
export type Counterfactual =
  /** The silence would have been billed as minutes of audio. */
  | 'silence_billed_by_the_minute'
  /** The silence would have been committed with the user's turn; its re-sending is not counted. */
  | 'silence_committed_as_audio'
  /** The session would have stayed open, or its microphone streaming, until its own end. */
  | 'session_left_open'
  /** The same tokens at the price of uncached ones. */
  | 'context_read_uncached'
  /** The file would have been sent as it came. */
  | 'sent_untouched'
  /** The same would have been asked of the model again. */
  | 'asked_again'
  /** The provider does not bill for it: nothing was saved. */
  | 'not_billed'

/**
 * Silence that the gate did not forward. `committed` says that nothing at the provider would have dropped it (turn
 * detection off); a provider with detection on drops it unbilled. Sessions billed by the clock save nothing by silence.
 */
export function silenceNotSent(time: Ms, row: PriceRow, committed: boolean): Saving {
  const isBilled = row.billing.silenceBilled !== false
  if (isBilled && row.prices.audioTime !== undefined)
    return saving('silence_not_sent', time, 'silence_billed_by_the_minute', { ...NOTHING, audioMs: time }, row)
  if (isBilled && committed && hasTokenPrices(row)) {
    const usage = { ...NOTHING, in: { ...NO_TOKENS, audio: heardTokens(time, row) } }
    return saving('silence_not_sent', time, 'silence_committed_as_audio', usage, row)
  }
  return saving('silence_not_sent', time, 'not_billed', NOTHING, row)
}

/**
 * Time that an idle session was cut short by: from the cut to the end it would otherwise have had. `streaming` says that
 * the caller's audio was still being forwarded when it was cut.
 */
export function idleCut(time: Ms, row: PriceRow, streaming: boolean): Saving {
  if (row.prices.sessionTime !== undefined)
    return saving('idle_cut', time, 'session_left_open', { ...NOTHING, sessionMs: time }, row)
  if (streaming && row.prices.audioTime !== undefined && row.billing.silenceBilled !== false)
    return saving('idle_cut', time, 'session_left_open', { ...NOTHING, audioMs: time }, row)
  return saving('idle_cut', time, 'not_billed', NOTHING, row)
}

/** Input that came from the provider's cache. */
export function cachedInput(usage: Usage, row: PriceRow): Saving {
  const paid = cost(usage, row).nano
  const otherwise = cost(uncached(usage), row).nano
  return {
    kind: 'cached_input',
    quantity: sumTokens(usage.cached),
    unit: 'tokens',
    paid,
    otherwise,
    saved: nanoUsd(otherwise - paid),
    counterfactual: 'context_read_uncached',
    creditedTo: 'provider',
    rowId: row.id,
  }
}

function saving(
  kind: Saving['kind'],
  time: Ms,
  counterfactual: Counterfactual,
  notBought: Usage,
  row: PriceRow,
): Saving {
  // The saved time would have been one part of a longer bill, so that no minimum and no step applies to it.
  const marginal = { ...row, billing: { ...row.billing, minimum: ms(0), step: ms(0) } }
  const otherwise = cost(notBought, marginal).nano
  return {
    kind,
    quantity: time,
    unit: 'ms',
    paid: nanoUsd(0),
    otherwise,
    saved: otherwise,
    counterfactual,
    creditedTo: 'parley',
    rowId: row.id,
  }
}
