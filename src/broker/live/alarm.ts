import type { Clock } from '../../clock.ts'
import type { Instant } from '../../units.ts'

/** One timer, always aimed at the next deadline. An alarm is a hint to look: an early one does no harm. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #set: { at: Instant; timer: Disposable } | null = null

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** A deadline that has moved away leaves the timer as it is, so that traffic does not set one anew each time. */
  aim(next: Instant | null): void {
    if (next !== null && this.#set !== null && this.#set.at <= next) return
    this.#set?.timer[Symbol.dispose]()
    this.#set = null
    if (next === null) return
    const timer = this.#clock.at(next, () => {
      this.#set = null
      this.#ring()
    })
    this.#set = { at: next, timer }
  }
}
