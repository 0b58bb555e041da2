import type { Clock } from '../../src/clock.ts'
import type { Log } from '../../src/log.ts'
import { later, ms } from '../../src/units.ts'

/** What is under way when a process stops is given so long; whatever it leaves undone the next sweep finds. */
const LAST_ROUND = ms(1_000)

/** Work that is done for one tenant once at a time, and once more where somebody has asked meanwhile. */
export class PerTenant implements AsyncDisposable {
  readonly #work: (tenant: string) => Promise<unknown>
  readonly #clock: Clock
  readonly #log: Log
  /** Tenants being worked for; true where it is to be done once more. */
  readonly #busy = new Map<string, boolean>()
  readonly #running = new Set<Promise<void>>()
  #isStopped = false

  constructor(work: (tenant: string) => Promise<unknown>, clock: Clock, log: Log) {
    this.#work = work
    this.#clock = clock
    this.#log = log
  }

  /** Never throws and never waits. What fails is left to the sweep. */
  nudge(tenant: string): void {
    if (this.#isStopped) return
    if (this.#busy.has(tenant)) {
      this.#busy.set(tenant, true)
      return
    }
    this.#busy.set(tenant, false)
    const run = this.#run(tenant)
    this.#running.add(run)
    void run.finally(() => this.#running.delete(run))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    const { promise, resolve } = Promise.withResolvers<void>()
    using _ = this.#clock.at(later(this.#clock.now(), LAST_ROUND), resolve)
    await Promise.race([Promise.all(this.#running), promise])
  }

  async #run(tenant: string): Promise<void> {
    try {
      do {
        this.#busy.set(tenant, false)
        await this.#work(tenant)
      } while (this.#busy.get(tenant) === true && !this.#isStopped)
    } catch (error) {
      this.#log.warn({ why: String(error) }, 'work for a tenant is left to the sweep')
    } finally {
      this.#busy.delete(tenant)
    }
  }
}
