import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import { later, ms } from '../units.ts'

/** How long a request waits for the one before it to let go; that one is asked to at once. */
const WAIT = ms(10_000)

interface Holder {
  /** Asks it to come to its end. */
  readonly release: () => void
  readonly over: PromiseWithResolvers<void>
}

/**
 * One request at a time for each upload, in this process. A caller that comes back over a new line gets the place of its old
 * one, which may not have been told yet that it is gone. Between nodes the record's offset decides instead.
 */
export class UploadLocks {
  readonly #clock: Clock
  readonly #holders = new Map<string, Holder>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves once nobody else holds it. `release` is called when somebody else wants it. Throws `wrong_state`. */
  async take(name: string, release: () => void): Promise<() => void> {
    let isLate = false
    const late = Promise.withResolvers<void>()
    using _ = this.#clock.at(later(this.#clock.now(), WAIT), () => {
      isLate = true
      late.resolve()
    })
    for (let holder = this.#holders.get(name); holder !== undefined; holder = this.#holders.get(name)) {
      holder.release()
      await Promise.race([holder.over.promise, late.promise])
      if (!isLate) continue
      throw new FaultError('wrong_state', 'Another request still writes to this upload.', { retryAfterMs: 5_000 })
    }
    const own = { release, over: Promise.withResolvers<void>() }
    this.#holders.set(name, own)
    return () => {
      if (this.#holders.get(name) !== own) return
      this.#holders.delete(name)
      own.over.resolve()
    }
  }
}
