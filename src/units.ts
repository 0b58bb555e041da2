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

export const ms = (n: number): Ms => n as Ms
export const seconds = (n: number): Ms => (n * 1_000) as Ms
export const minutes = (n: number): Ms => (n * 60_000) as Ms
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
