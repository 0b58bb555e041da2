import { type Instant, later, latest, type Ms, ms } from '../../units.ts'

/**
 * A rate with a burst, after the generic cell rate algorithm (GCRA): one stored instant. What is over the rate is not
 * refused but made to wait, so nothing a caller sent is lost.
 */
export class Pace {
  readonly #msPerUnit: number
  readonly #burstMs: number
  /** Theoretical arrival time: when all that has been taken would have been due at the even rate. */
  #due = 0 as Instant

  constructor(unitsPerSecond: number, burst: number) {
    this.#msPerUnit = 1_000 / unitsPerSecond
    this.#burstMs = burst * this.#msPerUnit
  }

  /** Takes `units` and says how long to stop taking more, ms; 0 within rate and burst. */
  take(units: number, now: Instant): Ms {
    this.#due = later(latest(this.#due, now), ms(units * this.#msPerUnit))
    return ms(Math.max(0, this.#due - now - this.#burstMs))
  }
}
