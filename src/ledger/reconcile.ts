import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { later, ms } from '../units.ts'
import type { CounterName, SpendCounters } from './counters.ts'
import type { Journal } from './journal.ts'
import type { Ledger, LedgerAccount } from './ledger.ts'
import type { LedgerMetrics } from './ledger-metrics.ts'
import { dayOf, monthOf, type Period } from './period.ts'

const EVERY = ms(60_000)
/** Users compared in one pass, dearest first. */
const MOST_USERS = 1_000

export interface ReconcileDeps {
  clock: Clock
  log: Log
  ledger: Ledger
  journal: Journal
  counters: SpendCounters
  nameOf: CounterName
  metrics: LedgerMetrics
  /** Tenants whose counters are compared even where the ledger has nothing of them. */
  tenants(): readonly string[]
}

export interface Difference {
  readonly account: LedgerAccount
  readonly period: Period
  /** Counter less ledger, nano-dollars: above 0, Redis believes in more spending than the ledger has seen. */
  readonly drift: number
}

/**
 * M3: compares the counters that limits are judged by with the ledger, for the installation, every tenant and the users
 * who spent the most, this day and this month. Null when something was booked meanwhile, or waits to get into the ledger:
 * then the two may differ. What sessions merely hold is in neither number. A session's own counter ends with it, and is
 * not compared.
 */
export async function compare(deps: ReconcileDeps): Promise<Difference[] | null> {
  const { clock, ledger, journal, counters, nameOf } = deps
  const before = await journal.state()
  if (before.length > 0) return null
  const now = clock.now()
  const differences: Difference[] = []
  for (const period of [dayOf(now), monthOf(now)]) {
    const accounts: LedgerAccount[] = [
      { kind: 'installation' },
      ...deps.tenants().map((tenant) => ({ kind: 'tenant' as const, tenant })),
      ...(await ledger.spenders('user', period, MOST_USERS)).map((spender) => spender.account),
    ]
    for (const account of accounts) {
      const counted = await counters.spentOf(nameOf(account), period)
      const drift = counted - (await ledger.spent(account, period))
      if (drift !== 0) differences.push({ account, period, drift })
    }
  }
  const after = await journal.state()
  return after.length === 0 && after.lastId === before.lastId ? differences : null
}

/** Compares every minute until disposed. */
export class Reconciler implements Disposable {
  readonly #deps: ReconcileDeps
  #alarm: Disposable

  constructor(deps: ReconcileDeps) {
    this.#deps = deps
    this.#alarm = this.#arm()
  }

  #arm(): Disposable {
    const { clock, log } = this.#deps
    return clock.at(later(clock.now(), EVERY), () => {
      this.#alarm = this.#arm()
      this.pass().catch((error: unknown) => log.warn({ why: String(error) }, 'counters not compared with the ledger'))
    })
  }

  /** One comparison, with its metric and its log. */
  async pass(): Promise<Difference[] | null> {
    const { log, metrics } = this.#deps
    const differences = await compare(this.#deps)
    if (differences === null) return null
    for (const limit of ['day', 'month'] as const) {
      const drift = differences.filter(({ period }) => period.limit === limit)
      metrics.drift.set(
        { period: limit },
        drift.reduce((sum, d) => sum + Math.abs(d.drift), 0),
      )
    }
    for (const { account, period, drift } of differences.slice(0, 20)) {
      // A user's name is somebody's business: the tenant is enough to go looking.
      const tenant = 'tenant' in account ? account.tenant : null
      log.error({ kind: account.kind, tenant, period: period.name, drift }, 'a counter differs from the ledger')
    }
    return differences
  }

  [Symbol.dispose](): void {
    this.#alarm[Symbol.dispose]()
  }
}
