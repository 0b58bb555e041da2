import { type Instant, instant } from './units.ts'

/** The only way to learn the time. The core never holds one: it is handed the instant as an argument. */
export interface Clock {
  now(): Instant
  /** Calls `ring` once at `when`, or soon after; at once (but never synchronously) when `when` has passed. */
  at(when: Instant, ring: () => void): Disposable
}

/** Longest delay setTimeout takes (2^31 - 1 ms); a later alarm rings early, which every reader of an alarm allows. */
const LONGEST_DELAY_MS = 2_147_483_647

/** Reading it again for every frame is not free. */
const { timeOrigin } = performance

/** Epoch milliseconds that follow the monotonic clock, so that a step of the wall clock moves no deadline. */
export const systemClock: Clock = {
  now: () => instant(timeOrigin + performance.now()),
  at(when, ring) {
    const delay = Math.min(Math.max(0, Math.ceil(when - this.now())), LONGEST_DELAY_MS)
    const timer = setTimeout(ring, delay)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
