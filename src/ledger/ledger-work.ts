import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { connectForJournal, type RedisPlace } from '../store/redis.ts'
import type { CounterName, SpendCounters } from './counters.ts'
import { Journal } from './journal.ts'
import { JournalReader } from './journal-reader.ts'
import type { Ledger } from './ledger.ts'
import type { LedgerMetrics } from './ledger-metrics.ts'
import { Reconciler } from './reconcile.ts'

export interface LedgerWorkDeps {
  clock: Clock
  log: Log
  /** Where further connections to Redis go. */
  place: RedisPlace
  /** Stays open for as long as the work goes on, and is closed by whoever opened it. */
  ledger: Ledger
  counters: SpendCounters
  nameOf: CounterName
  metrics: LedgerMetrics
  /** Tenants whose counters are compared even where the ledger has nothing of them. */
  tenants(): readonly string[]
  /** The reader's name: no other process may ever have had it. */
  name: string
}

export interface LedgerWork extends AsyncDisposable {
  /** The journal goes to another ledger than this one. */
  readonly isElsewhere: boolean
}

/**
 * Moves what is booked into the ledger and compares the two every minute, until disposed: then the journal is emptied
 * first. With Postgres any number of processes may do it; with a file, the one that owns the data folder.
 */
export function startLedgerWork(deps: LedgerWorkDeps): LedgerWork {
  const stack = new AsyncDisposableStack()
  // A reading of the journal keeps its connection waiting, so that the comparison has one of its own.
  const journal = () => {
    const redis = connectForJournal(deps.place, deps.log)
    stack.defer(() => redis.disconnect())
    return new Journal(redis)
  }
  const [forReader, forReconciler] = [journal(), journal()]
  const reader = stack.use(new JournalReader({ ...deps, journal: forReader }))
  stack.use(new Reconciler({ ...deps, journal: forReconciler }))
  return {
    get isElsewhere() {
      return reader.isElsewhere
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
