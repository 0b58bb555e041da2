import { join } from 'node:path'
import type { Log } from '../log.ts'
import type { Ledger } from './ledger.ts'
import { SqliteLedger } from './sqlite-ledger.ts'

/** The ledger of this installation: Postgres where it is configured, else a file in the data folder. */
export async function openLedger(where: { dataDir: string; ledgerUrl?: string }, log: Log): Promise<Ledger> {
  if (where.ledgerUrl === undefined) return SqliteLedger.open(join(where.dataDir, 'ledger.sqlite'))
  const { PostgresLedger } = await import('./postgres-ledger.ts')
  return PostgresLedger.open(where.ledgerUrl, log)
}
