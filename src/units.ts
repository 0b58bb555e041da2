declare const unit: unique symbol
type Quantity<U extends string> = number & { readonly [unit]: U }

/** A length of time in milliseconds. */
export type Ms = Quantity<'ms'>
/** A point in time: milliseconds since the Unix epoch, read from a clock that never runs backwards in one process. */
export type Instant = Quantity<'instant'>
/** A number of bytes. */
export type Bytes = Quantity<'bytes'>
/** A number of model tokens. */
export type Tokens = Quantity<'tokens'>
/** Billionths of a US dollar, always whole and within 2^53 (nine million dollars): money is never a float. */
export type NanoUsd = Quantity<'nano-usd'>
/** Trillionths of a US dollar, always whole; a bigint because a price times a count may pass 2^53. */
export type PicoUsd = bigint & { readonly [unit]: 'pico-usd' }

export const ms = (n: number): Ms => n as Ms
export const seconds = (n: number): Ms => (n * 1_000) as Ms
export const minutes = (n: number): Ms => (n * 60_000) as Ms
export const tokens = (n: number): Tokens => n as Tokens
export const picoUsd = (n: bigint): PicoUsd => n as PicoUsd
export const instant = (epochMs: number): Instant => epochMs as Instant
export const bytes = (n: number): Bytes => n as Bytes

/** The instant that lies `by` after `from`. */
export const later = (from: Instant, by: Ms): Instant => (from + by) as Instant
/** The instant that lies `by` before `from`. */
export const earlier = (from: Instant, by: Ms): Instant => (from - by) as Instant
/** Milliseconds from `from` until `to`, negative when `to` has passed. */
export const between = (from: Instant, to: Instant): Ms => (to - from) as Ms

export const earliest = (a: Instant, b: Instant): Instant => Math.min(a, b) as Instant
export const latest = (a: Instant, b: Instant): Instant => Math.max(a, b) as Instant

/** For the wire: never negative, never a fraction. */
export function wholeMs(n: number): number {
  return Math.max(0, Math.round(n))
}

/** An amount of money. Throws RangeError for anything that is not a whole number within 2^53, so that no unit is ever lost. */
export function nanoUsd(n: number): NanoUsd {
  if (!Number.isSafeInteger(n)) throw new RangeError(`${n} is not a whole number of nano-dollars within 2^53`)
  return n as NanoUsd
}

/** The sum of two amounts. Throws RangeError where it would pass 2^53 nano-dollars. */
export const addNano = (a: NanoUsd, b: NanoUsd): NanoUsd => nanoUsd(a + b)
