import { chmodSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { AuditActor, AuditEntry, AuditKind, AuditValue } from './audit.ts'
import { type AuditRow, ChainCheck, type ChainHead, type ChainProblem, EMPTY, seal } from './chain.ts'

/**
 * The triggers keep mistakes out, not somebody who may write the file: that shows in the chain. `head` remembers how far
 * the chain has reached, without which rows missing at its end would not show.
 */
const SCHEMA = `
PRAGMA busy_timeout = 2000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS audit (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, node TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
  tenant TEXT, subject TEXT, detail TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_is_never_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_never_shortened BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;`

/** Rows checked before other work gets its turn. */
const CHECKED_AT_ONCE = 1_000

export interface Verdict {
  readonly ok: boolean
  /** Rows found good, from the first on. */
  readonly rows: number
  /** Keep it elsewhere: with it, a later check also shows whether the whole file was exchanged. */
  readonly head: ChainHead
  readonly problem: ChainProblem | null
}

/**
 * The audit log of one data folder as a file: append-only, each row chained to the one before by its hash, in SQLite. A row
 * is safe from a crash of the process at once; from a loss of power, once SQLite has moved it out of its journal.
 */
export class AuditBook implements Disposable {
  readonly #db: DatabaseSync
  readonly #node: string
  readonly #readHead: StatementSync
  readonly #insert: StatementSync
  readonly #writeHead: StatementSync
  readonly #page: StatementSync

  private constructor(db: DatabaseSync, node: string) {
    this.#db = db
    this.#node = node
    this.#readHead = db.prepare('SELECT seq, hash FROM head')
    this.#insert = db.prepare('INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    this.#writeHead = db.prepare('INSERT OR REPLACE INTO head VALUES (1, ?, ?)')
    this.#page = db.prepare('SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?')
  }

  /** `node`: who writes. Throws when the file cannot be opened. */
  static open(file: string, node: string): AuditBook {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const db = new DatabaseSync(file)
    chmodSync(file, 0o600)
    db.exec(SCHEMA)
    return new AuditBook(db, node)
  }

  /** A book that is looked at and not written. Throws when there is none. */
  static openToRead(file: string): AuditBook {
    return new AuditBook(new DatabaseSync(file, { readOnly: true }), '')
  }

  /**
   * In one transaction that takes the write lock first, so that a second process on the same file cannot fork the chain.
   * `at`: epoch ms, whole. Throws what SQLite throws.
   */
  append({ kind, actor, tenant, subject, detail = {} }: AuditEntry, at: number): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const { seq, hash: previous } = this.head
      const row = seal({ seq: seq + 1, at, node: this.#node, kind, actor, tenant, subject, detail, previous })
      const values = [row.seq, at, row.node, kind, actor, tenant, subject, JSON.stringify(detail), previous, row.hash]
      this.#insert.run(...values)
      this.#writeHead.run(row.seq, row.hash)
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  /** Rows after number `after`, in order, at most `most`. */
  read(after: number, most: number): AuditRow[] {
    return this.#page.all(after, most).map(toRow)
  }

  /** How far the chain reaches. */
  get head(): ChainHead {
    const row = this.#readHead.get()
    return row === undefined ? EMPTY : { seq: Number(row.seq), hash: String(row.hash) }
  }

  /** Checks every row. `anchor`: a head from earlier, kept elsewhere, which must still be part of the chain. */
  async verify(anchor: ChainHead = EMPTY): Promise<Verdict> {
    const check = new ChainCheck()
    const known = this.head
    const verdict = (problem: ChainProblem | null): Verdict => ({
      ok: problem === null,
      rows: check.head.seq,
      head: check.head,
      problem,
    })
    for (let rows = this.read(0, CHECKED_AT_ONCE); rows.length > 0; ) {
      for (const row of rows) {
        const problem = check.accept(row)
        if (problem !== null) return verdict(problem)
        if (row.seq === anchor.seq && row.hash !== anchor.hash) return verdict({ seq: row.seq, what: 'altered' })
      }
      await setImmediate()
      rows = this.read(check.head.seq, CHECKED_AT_ONCE)
    }
    return verdict(check.end(known) ?? check.end({ ...anchor, hash: check.head.hash }))
  }

  [Symbol.dispose](): void {
    this.#db.close()
  }
}

/** A detail that is no JSON any more is a row that was altered: it keeps its text, which breaks its hash. */
function toRow(row: Record<string, unknown>): AuditRow {
  return {
    seq: Number(row.seq),
    at: Number(row.at),
    node: String(row.node),
    kind: String(row.kind) as AuditKind,
    actor: String(row.actor) as AuditActor,
    tenant: text(row.tenant),
    subject: text(row.subject),
    detail: parsed(String(row.detail)),
    previous: String(row.previous),
    hash: String(row.hash),
  }
}

const text = (value: unknown): string | null => (value === null ? null : String(value))

function parsed(json: string): AuditValue {
  try {
    return JSON.parse(json) as AuditValue
  } catch {
    return json
  }
}
