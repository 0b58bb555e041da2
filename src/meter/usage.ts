import { type Ms, ms, type Tokens, tokens } from '../units.ts'

/** Tokens by modality. */
export interface TokenCount {
  readonly text: Tokens
  readonly audio: Tokens
  readonly image: Tokens
}

/**
 * What one response, transcription, call or stretch of a session used, in our own words. Every number is whole and not
 * negative. A provider's spelling ends in `read-usage.ts`.
 */
export interface Usage {
  /** Tokens read, cached ones included. */
  readonly in: TokenCount
  /** The part of `in` that came from the provider's cache; never more than `in`, modality by modality. */
  readonly cached: TokenCount
  /** Cached tokens whose modality the provider did not say. They are charged as uncached: the safe upper bound. */
  readonly cachedUnsplit: Tokens
  /** Tokens read whose modality the provider did not say; charged at the model's dearest input price. */
  readonly unsplitIn: Tokens
  /** Tokens written. */
  readonly out: TokenCount
  /** Tokens written whose modality the provider did not say; charged at the model's dearest output price. */
  readonly unsplitOut: Tokens
  /** Audio processed; where a provider bills by channel, the sum over the channels. */
  readonly audioMs: Ms
  /** Time a session was open and active, where that is what is billed. */
  readonly sessionMs: Ms
  /** Time a session was open on stand-by. */
  readonly standbyMs: Ms
  /** Text items sent, where these are billed one by one. */
  readonly textItems: number
  /** True when a number was missing, contradicted another one, or was our own guess. */
  readonly estimated: boolean
}

export const NO_TOKENS: TokenCount = { text: tokens(0), audio: tokens(0), image: tokens(0) }

export const NOTHING: Usage = {
  in: NO_TOKENS,
  cached: NO_TOKENS,
  cachedUnsplit: tokens(0),
  unsplitIn: tokens(0),
  out: NO_TOKENS,
  unsplitOut: tokens(0),
  audioMs: ms(0),
  sessionMs: ms(0),
  standbyMs: ms(0),
  textItems: 0,
  estimated: false,
}

export const MODALITIES = ['text', 'audio', 'image'] as const
export type Modality = (typeof MODALITIES)[number]

/** One count from another, modality by modality. */
export function mapTokens(count: TokenCount, change: (n: Tokens, modality: Modality) => number): TokenCount {
  return {
    text: tokens(change(count.text, 'text')),
    audio: tokens(change(count.audio, 'audio')),
    image: tokens(change(count.image, 'image')),
  }
}

export const sumTokens = (count: TokenCount): Tokens => tokens(count.text + count.audio + count.image)
export const addTokens = (a: TokenCount, b: TokenCount): TokenCount => mapTokens(a, (n, m) => n + b[m])
/** `a` without `b`, never below zero. */
export const lessTokens = (a: TokenCount, b: TokenCount): TokenCount => mapTokens(a, (n, m) => Math.max(0, n - b[m]))

/** Something is known to have come from the provider's cache, by modality. */
export const hasCached = (usage: Usage): boolean => sumTokens(usage.cached) > 0
/** Every token read. */
export const tokensIn = (usage: Usage): Tokens => tokens(sumTokens(usage.in) + usage.unsplitIn)
/** Every token written. */
export const tokensOut = (usage: Usage): Tokens => tokens(sumTokens(usage.out) + usage.unsplitOut)

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    in: addTokens(a.in, b.in),
    cached: addTokens(a.cached, b.cached),
    cachedUnsplit: tokens(a.cachedUnsplit + b.cachedUnsplit),
    unsplitIn: tokens(a.unsplitIn + b.unsplitIn),
    out: addTokens(a.out, b.out),
    unsplitOut: tokens(a.unsplitOut + b.unsplitOut),
    audioMs: ms(a.audioMs + b.audioMs),
    sessionMs: ms(a.sessionMs + b.sessionMs),
    standbyMs: ms(a.standbyMs + b.standbyMs),
    textItems: a.textItems + b.textItems,
    estimated: a.estimated || b.estimated,
  }
}

/** By how much `a` is more than `b`, line by line; negative where it is less, so no usage of its own. */
export function usageDifference(a: Usage, b: Usage): Usage {
  const differ = (x: TokenCount, y: TokenCount) => mapTokens(x, (n, m) => n - y[m])
  return {
    in: differ(a.in, b.in),
    cached: differ(a.cached, b.cached),
    cachedUnsplit: tokens(a.cachedUnsplit - b.cachedUnsplit),
    unsplitIn: tokens(a.unsplitIn - b.unsplitIn),
    out: differ(a.out, b.out),
    unsplitOut: tokens(a.unsplitOut - b.unsplitOut),
    audioMs: ms(a.audioMs - b.audioMs),
    sessionMs: ms(a.sessionMs - b.sessionMs),
    standbyMs: ms(a.standbyMs - b.standbyMs),
    textItems: a.textItems - b.textItems,
    estimated: a.estimated,
  }
}
