import { advance, waitAfter } from '../../src/batches/batch-steps.ts'
import { type BatchDeps, BatchLost, BatchWork } from '../../src/batches/batch-work.ts'
import type { BatchHold } from '../../src/store/batches.ts'
import { later, ms } from '../../src/units.ts'

/** How often a process looks for batches that somebody should look at. */
const LOOK_EVERY = ms(1_000)
/** Batches that one process works on at once: each is one stream of small writes. */
const AT_ONCE = 2

/** How long a round in hand has to come to its end when the process stops. */
const LAST_ROUND = ms(500)

/** Feeds the batches of all tenants, in any number of processes: each batch is one process's at a time. */
export class BatchRunner implements AsyncDisposable {
  readonly #deps: BatchDeps
  readonly #stop = new AbortController()
  #alarm: Disposable | null = null
  #round: Promise<void> = Promise.resolve()

  constructor(deps: BatchDeps) {
    this.#deps = deps
    this.#arm()
  }

  /** Works on everything that is due now; resolves once that is done. */
  async round(): Promise<void> {
    const { batches } = this.#deps
    for (const tenant of await batches.tenants()) {
      for (;;) {
        if (this.#stop.signal.aborted) return
        const holds = await batches.claim(tenant, AT_ONCE)
        await Promise.all(holds.map((hold) => this.#work(hold)))
        if (holds.length < AT_ONCE) break
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the process is stopping'))
    this.#alarm?.[Symbol.dispose]()
    const { clock } = this.#deps
    const { promise: gaveUp, resolve } = Promise.withResolvers<void>()
    // A round that waits for Redis to come back goes on at its line in another process.
    using _ = clock.at(later(clock.now(), LAST_ROUND), resolve)
    await Promise.race([this.#round, gaveUp])
  }

  #arm(): void {
    const { clock, log } = this.#deps
    this.#alarm = clock.at(later(clock.now(), LOOK_EVERY), () => {
      this.#round = this.round()
        .catch((error: unknown) => log.debug({ why: String(error) }, 'batches wait'))
        .finally(() => {
          if (!this.#stop.signal.aborted) this.#arm()
        })
    })
  }

  async #work(hold: BatchHold): Promise<void> {
    const { log, batches } = this.#deps
    const { id } = hold.batch
    try {
      const work = new BatchWork(this.#deps, hold)
      await advance(work, this.#stop.signal)
    } catch (error) {
      // Whoever has it now goes on with it.
      if (error instanceof BatchLost) return
      const isStopping = this.#stop.signal.aborted
      if (!isStopping) log.warn({ batchId: id, why: String(error) }, 'a batch waits for another try')
      await batches.write(hold, {}, isStopping ? ms(0) : waitAfter(error)).catch(() => undefined)
    }
  }
}
