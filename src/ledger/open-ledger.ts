import type { LedgerConfig } from '../config/config.ts'
import type { Log } from '../log.ts'
import type { Ledger } from './ledger.ts'
import { SqliteLedger } from './sqlite-ledger.ts'

/** The ledger of this installation: Postgres where it is configured, else a file. */
export async function openLedger(where: LedgerConfig, log: Log): Promise<Ledger> {
  if (where.type === 'sqlite') return SqliteLedger.open(where.file)
  const { PostgresLedger } = await import('./postgres-ledger.ts')
  return PostgresLedger.open(where.url, log)
}
