import { FaultError } from '../../src/faults.ts'

/** So many at a time, the others in the order they came. */
export class Slots {
  readonly #mostWaiting: number
  readonly #waiting = new Set<() => void>()
  #free: number

  /** `mostWaiting`: how many may wait; whoever comes on top of that is refused with `overloaded`. */
  constructor(slots: number, mostWaiting: number) {
    this.#free = slots
    this.#mostWaiting = mostWaiting
  }

  /** Resolves with the way to give the slot back, which is called once. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#turn(signal)
    return () => this.#giveBack()
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#mostWaiting) {
      throw new FaultError('overloaded', 'Too much media is being worked on.', { retryAfterMs: 5_000 })
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = () => {
      this.#waiting.delete(resolve)
      reject(signal.reason)
    }
    this.#waiting.add(resolve)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** The slot goes straight to whoever waits longest, so that nobody can overtake. */
  #giveBack(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
