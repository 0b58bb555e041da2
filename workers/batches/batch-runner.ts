import { BatchLost } from '../../src/batches/batch.ts'
import { advance, waitAfter } from '../../src/batches/batch-steps.ts'
import { type BatchDeps, BatchWork } from '../../src/batches/batch-work.ts'
import type { BatchHold } from '../../src/store/batches.ts'
import { later, ms } from '../../src/units.ts'

/** How often a process looks for batches that somebody should look at. */
const LOOK_EVERY = ms(1_000)
/** Batches that one process works on at once, in all and of one tenant: each is one stream of small writes. */
const AT_ONCE = 4
const OF_ONE_TENANT = 2
/** How long work in hand has to come to its end when the process stops. */
const LAST_STEP = ms(500)

/** Feeds the batches of all tenants, in any number of processes: each batch is one process's at a time. */
export class BatchRunner implements AsyncDisposable {
  readonly #deps: BatchDeps
  readonly #stop = new AbortController()
  /** By id of the batch. */
  readonly #inHand = new Map<string, Promise<void>>()
  #alarm: Disposable | null = null
  #look: Promise<void> = Promise.resolve()
  #looks = 0

  constructor(deps: BatchDeps) {
    this.#deps = deps
    this.#arm()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the process is stopping'))
    this.#alarm?.[Symbol.dispose]()
    const { clock } = this.#deps
    const { promise: gaveUp, resolve } = Promise.withResolvers<void>()
    // Work that waits for Redis to come back goes on at its line in another process.
    using _ = clock.at(later(clock.now(), LAST_STEP), resolve)
    const rest = async () => {
      await this.#look
      await Promise.all(this.#inHand.values())
    }
    await Promise.race([rest(), gaveUp])
  }

  #arm(): void {
    const { clock, log } = this.#deps
    this.#alarm = clock.at(later(clock.now(), LOOK_EVERY), () => {
      this.#look = this.#take()
        .catch((error: unknown) => log.debug({ why: String(error) }, 'batches wait'))
        .finally(() => {
          if (!this.#stop.signal.aborted) this.#arm()
        })
    })
  }

  /** Takes what is due while there is room, a few batches of each tenant, and begins each time with another tenant. */
  async #take(): Promise<void> {
    const { batches } = this.#deps
    const tenants = (await batches.tenants()).sort()
    const first = this.#looks++ % Math.max(1, tenants.length)
    for (const tenant of [...tenants.slice(first), ...tenants.slice(0, first)]) {
      const room = AT_ONCE - this.#inHand.size
      if (this.#stop.signal.aborted || room <= 0) return
      for (const hold of await batches.claim(tenant, Math.min(room, OF_ONE_TENANT))) {
        const { id } = hold.batch
        const work = this.#work(hold).finally(() => {
          // One that lost its hold may have it anew already.
          if (this.#inHand.get(id) === work) this.#inHand.delete(id)
        })
        this.#inHand.set(id, work)
      }
    }
  }

  async #work(hold: BatchHold): Promise<void> {
    const { log, batches } = this.#deps
    const { id } = hold.batch
    try {
      await advance(new BatchWork(this.#deps, hold), this.#stop.signal)
    } catch (error) {
      // Whoever has it now goes on with it.
      if (error instanceof BatchLost) return
      const isStopping = this.#stop.signal.aborted
      if (!isStopping) log.warn({ batchId: id, why: String(error) }, 'a batch waits for another try')
      await batches.write(hold, {}, isStopping ? ms(0) : waitAfter(error)).catch(() => undefined)
    }
  }
}
