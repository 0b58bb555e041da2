import { randomUUID } from 'node:crypto'
import type { Registry } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { LedgerConfig } from '../config/config.ts'
import type { Log } from '../log.ts'
import { Counters } from '../store/counters.ts'
import { counterAccount, LedgerCounters } from '../store/ledger-counters.ts'
import type { Store } from '../store/store.ts'
import type { Ledger } from './ledger.ts'
import { LedgerMetrics } from './ledger-metrics.ts'
import { type LedgerWork, startLedgerWork } from './ledger-work.ts'
import { openLedger } from './open-ledger.ts'

export interface LedgerDeskDeps {
  clock: Clock
  log: Log
  store: Store
  registry: Registry
  /** Tenants whose counters are compared even where the ledger has nothing of them. */
  tenants(): readonly string[]
}

/** The ledger of this process, and the work that moves what is booked into it. */
export class LedgerDesk implements AsyncDisposable {
  readonly #ledger: Ledger
  readonly #work: LedgerWork

  private constructor(ledger: Ledger, work: LedgerWork) {
    this.#ledger = ledger
    this.#work = work
  }

  static async open(where: LedgerConfig, deps: LedgerDeskDeps): Promise<LedgerDesk> {
    const ledger = await openLedger(where, deps.log)
    const work = startLedgerWork({
      clock: deps.clock,
      log: deps.log,
      place: deps.store.place,
      ledger,
      counters: new LedgerCounters(new Counters(deps.store.redis)),
      nameOf: counterAccount,
      metrics: new LedgerMetrics(deps.registry),
      tenants: deps.tenants,
      name: randomUUID(),
    })
    return new LedgerDesk(ledger, work)
  }

  /** Null on a node whose file is not the one that the journal goes to: what is booked is not here. */
  get ledger(): Ledger | null {
    return this.#work.isElsewhere ? null : this.#ledger
  }

  /** Empties the journal first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work[Symbol.asyncDispose]()
    await this.#ledger[Symbol.asyncDispose]()
  }
}
