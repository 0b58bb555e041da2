import { Counter, Gauge, type Registry } from 'prom-client'

/** What the ledger's house-keeping counts. */
export class LedgerMetrics {
  /** Entries of the journal that are not in the ledger yet, as last seen by this process. */
  readonly journalLength: Gauge
  readonly booked: Counter
  readonly refused: Counter
  readonly failures: Counter
  readonly drift: Gauge<'period'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.journalLength = new Gauge({
      name: 'parley_journal_entries',
      help: 'Booked records that are not in the ledger yet',
      registers,
    })
    this.booked = new Counter({
      name: 'parley_ledger_records_total',
      help: 'Records this process has put into the ledger',
      registers,
    })
    this.refused = new Counter({
      name: 'parley_journal_refused_total',
      help: 'Journal entries that were no records and were put aside',
      registers,
    })
    this.failures = new Counter({
      name: 'parley_ledger_failures_total',
      help: 'Passes of the journal reader that failed and were repeated',
      registers,
    })
    this.drift = new Gauge({
      name: 'parley_ledger_drift_nano_usd',
      help: 'Sum over accounts of what counters and ledger differ by, when last compared at rest',
      labelNames: ['period'],
      registers,
    })
  }
}
