import { randomUUID } from 'node:crypto'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type Row, type Statement, tables, VERSION } from './sql.ts'
import type { Database } from './sql-ledger.ts'

/** How long a statement waits for another process that writes, ms. */
const BUSY_MS = 5_000
const MOST_PREPARED = 200

/**
 * One file, written through a log and flushed to the disk at every commit (WAL, synchronous FULL): what was acknowledged
 * survives a crash of the process and of the machine. A transaction that was under way is gone as a whole.
 *
 * Every call blocks its thread, so it has one of its own (sqlite-thread.ts), which asks for one thing at a time.
 */
export class SqliteDatabase implements Database {
  readonly id: string
  readonly #db: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  /** Opens the file, or makes it. Throws when it was written by a newer version. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: BUSY_MS, enableForeignKeyConstraints: true })
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000')
    this.#db.exec('BEGIN IMMEDIATE')
    this.#db.exec(tables({ whole: 'INTEGER', name: 'TEXT', serial: 'INTEGER PRIMARY KEY', suffix: ' STRICT' }))
    const insert = 'INSERT INTO parley_ledger (id, version) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM parley_ledger)'
    this.#db.prepare(insert).run(randomUUID(), VERSION)
    this.#db.exec('COMMIT')
    const head = this.#db.prepare('SELECT id, version FROM parley_ledger').get()
    if (Number(head?.version) > VERSION) throw new Error(`the ledger ${path} was written by a newer version of Parley`)
    this.id = String(head?.id)
  }

  async query({ text, values }: Statement): Promise<Row[]> {
    return this.#prepare(text).all(...values)
  }

  async write<T>(work: (query: Database['query']) => Promise<T>): Promise<T> {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = await work((statement) => this.query(statement))
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  rowsOf(columns: readonly { name: string; isText: boolean }[]): string {
    return `(SELECT ${columns.map(({ name }) => `value ->> '$.${name}' AS ${name}`).join(', ')} FROM json_each($1)) AS j`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#db.close()
  }

  #prepare(text: string): StatementSync {
    const held = this.#prepared.get(text)
    if (held !== undefined) return held
    if (this.#prepared.size >= MOST_PREPARED) this.#prepared.clear()
    const statement = this.#db.prepare(text.replaceAll(/\$(\d+)/g, '?$1'))
    statement.setReadBigInts(true)
    this.#prepared.set(text, statement)
    return statement
  }
}
