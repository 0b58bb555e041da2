import { randomUUID } from 'node:crypto'
import { Pool, type PoolClient } from 'pg'
import { FaultError } from '../faults.ts'
import type { AccountKind } from '../limits/limits.ts'
import type { Log } from '../log.ts'
import type { Ledger, LedgerAccount, ListQuery, Posting, SumsQuery } from './ledger.ts'
import type { Period } from './period.ts'
import { type Row, type Statement, tables, VERSION } from './sql.ts'
import { type Database, SqlLedger } from './sql-ledger.ts'

const MOST_CONNECTIONS = 4
const CONNECT_WITHIN_MS = 5_000
const STATEMENT_WITHIN_MS = 30_000
/** Any number of our own: who holds it writes. */
const WRITERS_LOCK = 7_726_911_204

/** The ledger in Postgres (12 or newer), for any number of writers on any number of hosts. */
export class PostgresLedger implements Ledger {
  readonly id: string
  readonly #ledger: SqlLedger

  private constructor(id: string, database: Database) {
    this.id = id
    this.#ledger = new SqlLedger(id, database)
  }

  /** Makes the tables where they are missing. Throws with a plain sentence when it cannot be used. */
  static async open(url: string, log: Log): Promise<PostgresLedger> {
    const pool = new Pool({
      connectionString: url,
      max: MOST_CONNECTIONS,
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
      statement_timeout: STATEMENT_WITHIN_MS,
      query_timeout: STATEMENT_WITHIN_MS + CONNECT_WITHIN_MS,
      keepAlive: true,
      application_name: 'parley',
    })
    pool.on('error', (error) => log.warn({ why: error.message }, 'a connection to the ledger broke'))
    const database = new PostgresDatabase(pool)
    try {
      return new PostgresLedger(await database.prepare(), database)
    } catch (error) {
      await pool.end()
      throw new Error(`the ledger in Postgres cannot be used: ${(error as Error).message}`, { cause: error })
    }
  }

  append = (postings: readonly Posting[]) => translated(this.#ledger.append(postings))
  sums = (query: SumsQuery) => translated(this.#ledger.sums(query))
  list = (query: ListQuery) => translated(this.#ledger.list(query))
  find = (ids: readonly string[]) => translated(this.#ledger.find(ids))
  spent = (account: LedgerAccount, period: Period) => translated(this.#ledger.spent(account, period))
  spenders = (kind: AccountKind, period: Period, most: number) => translated(this.#ledger.spenders(kind, period, most));

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#ledger[Symbol.asyncDispose]()
  }
}

class PostgresDatabase implements Database {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** The ledger's id. */
  async prepare(): Promise<string> {
    return this.write(async (query) => {
      const name = 'TEXT COLLATE "C"'
      const serial = 'BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY'
      for (const text of tables({ whole: 'BIGINT', name, serial, suffix: '' }).split(';')) {
        if (text.trim() !== '') await query({ text, values: [] })
      }
      await query({
        text: 'INSERT INTO parley_ledger (id, version) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM parley_ledger)',
        values: [randomUUID(), VERSION],
      })
      const [head] = await query({ text: 'SELECT id, version FROM parley_ledger', values: [] })
      if (Number(head?.version) > VERSION) throw new Error('it was written by a newer version of Parley')
      return String(head?.id)
    })
  }

  async query({ text, values }: Statement): Promise<Row[]> {
    return (await this.#pool.query<Row>(text, values)).rows
  }

  async write<T>(work: (query: Database['query']) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    // A connection may break between two statements; whoever waits on the next one is told.
    client.on('error', ignore)
    let broken: Error | undefined
    try {
      await client.query('BEGIN')
      await client.query('SELECT pg_advisory_xact_lock($1)', [WRITERS_LOCK])
      const result = await work(async ({ text, values }) => (await client.query<Row>(text, values)).rows)
      await client.query('COMMIT')
      return result
    } catch (error) {
      broken = await rollback(client)
      throw error
    } finally {
      client.off('error', ignore)
      client.release(broken)
    }
  }

  rowsOf(columns: readonly { name: string; isText: boolean }[]): string {
    const typed = columns.map(({ name, isText }) => `${name} ${isText ? 'text' : 'bigint'}`).join(', ')
    return `json_to_recordset($1::json) AS j(${typed})`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end()
  }
}

const ignore = (): void => undefined

/** A connection that cannot even be rolled back must not be used again. */
async function rollback(client: PoolClient): Promise<Error | undefined> {
  return client.query('ROLLBACK').then(
    () => undefined,
    (error: Error) => error,
  )
}

/**
 * Classes of SQLSTATE that pass: no connection, transaction rolled back, out of resources, stopped by the operator, system
 * error. An error without SQLSTATE came from the socket or from a time-out.
 */
const PASSING = /^(08|40|53|55|57|58)/

async function translated<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const { code } = error as { code?: unknown }
    const isOurs = error instanceof RangeError || (error as Error).name === 'ZodError'
    const isSqlState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)
    if (isOurs || (isSqlState && !PASSING.test(code as string))) throw error
    throw new FaultError('store_unavailable', 'The ledger cannot be reached right now.', {
      cause: error,
      retryAfterMs: 2_000,
    })
  }
}
