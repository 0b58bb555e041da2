import { join } from 'node:path'
import { Registry } from 'prom-client'
import { systemClock } from '../../src/clock.ts'
import { Journal } from '../../src/ledger/journal.ts'
import { JournalReader } from '../../src/ledger/journal-reader.ts'
import { LedgerMetrics } from '../../src/ledger/ledger-metrics.ts'
import { openLedger } from '../../src/ledger/open-ledger.ts'
import { connectForJournal, type RedisPlace } from '../../src/store/redis.ts'
import { nameOf, PlainCounters } from './counters.ts'
import { silent } from './parley.ts'

/** A reader of the journal in a process of its own, to be killed. Arguments: place of Redis (JSON), data folder, its name. */
const [place = '', dataDir = '', name = ''] = process.argv.slice(2)
const redis = connectForJournal(JSON.parse(place) as RedisPlace, silent)
new JournalReader({
  clock: systemClock,
  log: silent,
  journal: new Journal(redis),
  ledger: await openLedger({ type: 'sqlite', file: join(dataDir, 'ledger.db') }, silent),
  counters: new PlainCounters(redis),
  nameOf,
  metrics: new LedgerMetrics(new Registry()),
  name,
  deadAfter: 50,
})
