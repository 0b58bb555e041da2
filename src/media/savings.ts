import { heardTokens } from '../meter/conversation.ts'
import { cost, hasTokenPrices } from '../meter/price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import type { Counterfactual, Saving } from '../meter/savings.ts'
import { NO_TOKENS, NOTHING, type Usage } from '../meter/usage.ts'
import { type Ms, ms, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts'
import { boundsOf } from './audio/time-map.ts'
import type { PreparedAudio } from './prepared-audio.ts'

/**
 * The silence that was cut out around one piece: of the stretch of the recording from the end of the piece before to its own,
 * and for the last to the recording's end. Over all pieces it is all that was cut out.
 */
export function silenceBefore(prepared: PreparedAudio, index: number): Ms {
  const piece = prepared.pieces[index]
  if (piece === undefined) return ms(0)
  const before = prepared.pieces[index - 1]
  const from = before === undefined ? 0 : boundsOf(before.map).end
  const to = index === prepared.pieces.length - 1 ? prepared.source : boundsOf(piece.map).end
  return ms(Math.max(0, Math.round(to - from - piece.duration)))
}

/** What preparation kept out of one call. */
export interface LeftOut {
  /** Silence cut out of the stretch of the recording that the call stands for, ms. */
  readonly silence?: Ms
  /** Tokens by which the pictures as they came would have been more; by the rule of the model that was asked. */
  readonly pictureTokens?: Tokens
}

/**
 * M4: the savings of one call, at the row it was bought by. Each stands beside what the untouched original would have cost
 * more by the same row, as one part of a longer bill: no minimum and no step applies to it.
 */
export function savingsOf(leftOut: LeftOut, usage: Usage, row: PriceRow): Saving[] {
  const { silence = ms(0), pictureTokens = tokens(0) } = leftOut
  return [
    ...(silence > 0 ? [line('silence_removed', silence, 'ms', marginal(audio(silence, row), row), row)] : []),
    ...(pictureTokens > 0
      ? [line('pixels_removed', pictureTokens, 'tokens', marginal(seen(pictureTokens), row), row)]
      : []),
    ...minimumOf(usage, row),
  ]
}

/** A recording in which nobody speaks: nothing was bought. As it came it would have been one request. */
export function nobodySpoke(length: Ms, row: PriceRow): Saving {
  return line('silence_removed', length, 'ms', cost(audio(length, row), row).nano, row)
}

/** An answer that had been bought before; `worth`: what it cost then. */
export function answerKept(worth: NanoUsd, rowId: string): Saving {
  return {
    ...{
      kind: 'answer_kept',
      quantity: 1,
      unit: 'answers',
      counterfactual: 'asked_again',
      creditedTo: 'parley',
      rowId,
    },
    ...{ paid: nanoUsd(0), otherwise: worth, saved: worth },
  }
}

/** A piece shorter than what is billed at least costs more than its share of the recording: a saving below nothing. */
function minimumOf(usage: Usage, row: PriceRow): Saving[] {
  const { minimum } = row.billing
  if (usage.audioMs <= 0 || usage.audioMs >= minimum || row.prices.audioTime === undefined) return []
  const more = nanoUsd(cost(usage, row).nano - marginal(usage, row))
  const missing = minimum - usage.audioMs
  return [
    {
      ...{ kind: 'billing_minimum', quantity: missing, unit: 'ms', counterfactual: 'sent_untouched' },
      ...{ paid: more, otherwise: nanoUsd(0), saved: nanoUsd(-more), creditedTo: 'parley', rowId: row.id },
    },
  ]
}

function audio(time: Ms, row: PriceRow): Usage {
  if (!hasTokenPrices(row)) return { ...NOTHING, audioMs: time }
  return { ...NOTHING, in: { ...NO_TOKENS, audio: heardTokens(time, row) } }
}

/** Pictures are sold at the price of text by the models that read them over HTTP. */
const seen = (count: Tokens): Usage => ({ ...NOTHING, in: { ...NO_TOKENS, text: count } })

function marginal(usage: Usage, row: PriceRow): NanoUsd {
  return cost(usage, { ...row, billing: { ...row.billing, minimum: ms(0), step: ms(0) }, longContext: null }).nano
}

function line(kind: Saving['kind'], quantity: number, unit: Saving['unit'], otherwise: NanoUsd, row: PriceRow): Saving {
  const counterfactual: Counterfactual = otherwise === 0 ? 'not_billed' : 'sent_untouched'
  return {
    ...{ kind, quantity: Math.round(quantity), unit, counterfactual, creditedTo: 'parley', rowId: row.id },
    ...{ paid: nanoUsd(0), otherwise, saved: otherwise },
  }
}
