import { heardTokens } from '../meter/conversation.ts'
import { cost, hasTokenPrices } from '../meter/price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import { addUsage, NO_TOKENS, NOTHING, type Usage } from '../meter/usage.ts'
import { type Instant, type Ms, ms, type NanoUsd, nanoUsd, tokens } from '../units.ts'
import { planPicture } from './picture/plan.ts'
import { tokensOf } from './picture/tokens-of.ts'
import type { PictureTarget } from './picture-target.ts'
import type { PieceLimits } from './prepared-audio.ts'

/** What media would come to, prepared or as it is. */
export interface MediaSide {
  readonly requests: number
  readonly usage: Usage
  readonly nano: NanoUsd
}

export interface MediaEstimate {
  readonly prepared: MediaSide
  readonly untouched: MediaSide
}

/** A recording that somebody thinks of having transcribed. */
export interface PlannedRecording {
  readonly length: Ms
  /** How much of it is left when silence is out, thousandths. */
  readonly speechMilli: number
}

/** Text that speech becomes, tokens per second of it. */
export const WORDS_PER_SECOND_TOKENS = 3

/**
 * M5: what transcribing a recording costs: what is left of it in pieces, and the whole of it in as few requests as the
 * provider takes. Both write the same words.
 */
export function estimateRecording(
  { length, speechMilli }: PlannedRecording,
  limits: PieceLimits,
  row: PriceRow,
): MediaEstimate {
  const kept = ms(Math.round((length * speechMilli) / 1_000))
  const written = Math.ceil((kept * WORDS_PER_SECOND_TOKENS) / 1_000)
  return { prepared: side(kept, written, limits, row), untouched: side(length, written, limits, row) }
}

/** Pieces of even length: the last one short would look dearer than it is where there is a minimum. */
function side(length: Ms, written: number, { duration }: PieceLimits, row: PriceRow): MediaSide {
  const requests = Math.ceil(length / duration)
  let usage: Usage = NOTHING
  let nano = 0
  for (let i = 0; i < requests; i++) {
    const part = share(length, i, requests)
    const words = hasTokenPrices(row) ? share(written, i, requests) : 0
    const read = hasTokenPrices(row) ? { ...NO_TOKENS, audio: heardTokens(ms(part), row) } : NO_TOKENS
    const one: Usage = {
      ...{ ...NOTHING, in: read, out: { ...NO_TOKENS, text: tokens(words) } },
      audioMs: ms(hasTokenPrices(row) ? 0 : part),
    }
    usage = addUsage(usage, one)
    nano += cost(one, row).nano
  }
  return { requests, usage: { ...usage, audioMs: length }, nano: nanoUsd(nano) }
}

/** The i-th of `parts` whole shares that add up to the total. */
const share = (total: number, i: number, parts: number): number =>
  Math.floor((total * (i + 1)) / parts) - Math.floor((total * i) / parts)

/** Pictures that somebody thinks of having described, all alike. */
export interface PlannedPictures {
  readonly count: number
  readonly width: number
  readonly height: number
  /** Height of an x in their small text, px; null where they have none. */
  readonly xHeight: number | null
  readonly minXHeight: number
  /** Tokens of the question, and of each answer. */
  readonly prompt: number
  readonly answer: number
}

export interface PicturesEstimate extends MediaEstimate {
  /** Of one picture, at the size it would be sent. */
  readonly tokens: number
  readonly untouchedTokens: number
  readonly sent: { readonly width: number; readonly height: number; readonly detail: string }
}

/** M5: what describing pictures costs. Null where the model takes a picture of this size in no way. */
export function estimatePictures(
  pictures: PlannedPictures,
  target: PictureTarget,
  row: PriceRow,
  at: Instant,
): PicturesEstimate | null {
  const { count, width, height, xHeight, minXHeight, prompt, answer } = pictures
  const text = xHeight === null ? null : { xHeight, isFew: false, words: null }
  const wish = { minXHeight, crop: false, slices: false }
  const plan = planPicture(target, { size: { width, height }, content: null, text }, wish, at)
  const [piece] = plan?.pieces ?? []
  if (plan === null || piece === undefined) return null
  const untouchedTokens = tokensOf(target, width, height, at).tokens
  const all = (each: number): MediaSide => {
    const one: Usage = {
      ...NOTHING,
      in: { ...NO_TOKENS, text: tokens(each + prompt) },
      out: { ...NO_TOKENS, text: tokens(answer) },
    }
    const nano = nanoUsd(cost(one, row).nano * count)
    const sum = { text: tokens((each + prompt) * count) }
    const usage = { ...NOTHING, in: { ...NO_TOKENS, ...sum }, out: { ...NO_TOKENS, text: tokens(answer * count) } }
    return { requests: count, usage, nano }
  }
  return {
    prepared: all(plan.tokens),
    untouched: all(untouchedTokens),
    ...{ tokens: plan.tokens, untouchedTokens, sent: { ...piece.size, detail: plan.detail } },
  }
}
