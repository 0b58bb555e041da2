import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import { later, type Ms } from '../units.ts'

/**
 * Time limits of one outbound request: one for the whole, and one for the stage it is in. Whichever passes first aborts
 * `signal` with FaultError `fetch_failed` as its reason; so does `outer`, with its own reason.
 */
export class Stages implements Disposable {
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  readonly #clock: Clock
  readonly #total: Disposable
  readonly #outer: AbortSignal | undefined
  readonly #onOuter: () => void
  #stage: Disposable | null = null

  constructor(clock: Clock, total: Ms, outer: AbortSignal | undefined) {
    this.signal = this.#controller.signal
    this.#clock = clock
    this.#total = this.#arm('the request took too long in all', total)
    this.#outer = outer
    this.#onOuter = () => this.#controller.abort(outer?.reason)
    outer?.addEventListener('abort', this.#onOuter)
    if (outer?.aborted) this.#onOuter()
  }

  /** Ends the stage before and begins one that may last `limit`. `late` is told when it lasts longer. */
  enter(late: string, limit: Ms): void {
    this.rest()
    this.#stage = this.#arm(late, limit)
  }

  /** Between stages only the limit on the whole runs: whoever reads the body may take a while. */
  rest(): void {
    this.#stage?.[Symbol.dispose]()
    this.#stage = null
  }

  /** Rejects with the signal's reason as soon as it is aborted, else as `work` does. */
  async race<T>(work: Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(this.signal.reason)
    this.signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([work, aborted])
    } finally {
      this.signal.removeEventListener('abort', onAbort)
    }
  }

  [Symbol.dispose](): void {
    this.rest()
    this.#total[Symbol.dispose]()
    this.#outer?.removeEventListener('abort', this.#onOuter)
  }

  #arm(late: string, limit: Ms): Disposable {
    return this.#clock.at(later(this.#clock.now(), limit), () => {
      this.#controller.abort(new FaultError('fetch_failed', `${late} (limit ${limit} ms)`))
    })
  }
}
