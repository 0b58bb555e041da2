import { randomUUID } from 'node:crypto'
import type { Registry } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { LedgerConfig } from '../config/config.ts'
import type { Log } from '../log.ts'
import { Counters } from '../store/counters.ts'
import { counterAccount, LedgerCounters } from '../store/ledger-counters.ts'
import type { Store } from '../store/store.ts'
import { later, ms } from '../units.ts'
import type { Ledger } from './ledger.ts'
import { LedgerMetrics } from './ledger-metrics.ts'
import { type LedgerWork, startLedgerWork } from './ledger-work.ts'
import { openLedger } from './open-ledger.ts'

/** How long the last records have to reach the ledger, and how long Redis is waited for when it is away. */
const EMPTIED_WITHIN = ms(5_000)
const GIVEN_UP_AFTER = ms(300)

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

  readonly #deps: LedgerDeskDeps

  private constructor(ledger: Ledger, work: LedgerWork, deps: LedgerDeskDeps) {
    this.#ledger = ledger
    this.#work = work
    this.#deps = deps
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
    return new LedgerDesk(ledger, work, deps)
  }

  /** Null on a node whose file is not the one that the journal goes to: what is booked is not here. */
  get ledger(): Ledger | null {
    return this.#work.isElsewhere ? null : this.#ledger
  }

  /** Empties the journal first; while Redis is away it waits there for whoever comes next. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, store } = this.#deps
    const within = (await store.unwell()) === null ? EMPTIED_WITHIN : GIVEN_UP_AFTER
    const { promise: gaveUp, resolve } = Promise.withResolvers<void>()
    using _alarm = clock.at(later(clock.now(), within), () => resolve())
    await Promise.race([this.#work[Symbol.asyncDispose](), gaveUp])
    await this.#ledger[Symbol.asyncDispose]()
  }
}
