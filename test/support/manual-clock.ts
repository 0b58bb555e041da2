import type { Clock } from '../../src/clock.ts'
import { type Instant, instant } from '../../src/units.ts'

/** A clock that stands still until it is moved; alarms ring in the order of their instants. */
export class ManualClock implements Clock {
  #now = 0
  readonly #alarms = new Set<{ when: number; ring: () => void }>()

  now(): Instant {
    return instant(this.#now)
  }

  at(when: Instant, ring: () => void): Disposable {
    const alarm = { when, ring }
    this.#alarms.add(alarm)
    return { [Symbol.dispose]: () => void this.#alarms.delete(alarm) }
  }

  /** Lets `length` ms pass. */
  pass(length: number): void {
    const end = this.#now + length
    for (;;) {
      const next = [...this.#alarms].filter(({ when }) => when <= end).sort((a, b) => a.when - b.when)[0]
      if (next === undefined) break
      this.#alarms.delete(next)
      this.#now = Math.max(this.#now, next.when)
      next.ring()
    }
    this.#now = end
  }
}
