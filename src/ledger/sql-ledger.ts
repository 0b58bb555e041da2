import type { AccountKind } from '../limits/limits.ts'
import { instant, nanoUsd, tokens } from '../units.ts'
import { admit } from './admit.ts'
import type {
  Booked,
  GroupKey,
  Ledger,
  LedgerAccount,
  ListQuery,
  Posting,
  Spender,
  SumsQuery,
  UsageSum,
} from './ledger.ts'
import type { Period } from './period.ts'
import { SavingSumFile, tidy } from './record-text.ts'
import * as sql from './sql.ts'

/** A database under the ledger's SQL. */
export interface Database extends AsyncDisposable {
  query(statement: sql.Statement): Promise<sql.Row[]>
  /** One transaction, durable once resolved and undone when `work` throws. Writers take turns, across processes too. */
  write<T>(work: (query: Database['query']) => Promise<T>): Promise<T>
  /** An expression for the rows of a JSON array in `$1`, to select from as `j`. */
  rowsOf(columns: readonly { name: string; isText: boolean }[]): string
}

/** Columns of a record's row with their types. */
const RECORD = sql.COLUMN_NAMES.map((name) => ({ name, isText: sql.isName(name) }))
const SAVING = sql.SAVING_ROW.map((name) => ({ name, isText: sql.isSavingName(name) }))
const SPENT = ['kind', 'tenant', 'name', 'day', 'nano'].map((name) => ({
  name,
  isText: !['day', 'nano'].includes(name),
}))
const names = (columns: readonly { name: string }[]) => columns.map((column) => column.name).join(', ')

/** The ledger, in whatever SQL database; promises as in `Ledger`, but errors are the database's own. */
export class SqlLedger implements Ledger {
  readonly id: string
  readonly #db: Database

  constructor(id: string, db: Database) {
    this.id = id
    this.#db = db
  }

  async append(postings: readonly Posting[]): Promise<number> {
    if (postings.length === 0) return 0
    const clean = postings.map(({ record, booked }) => ({ record: tidy(record), booked: instant(Math.floor(booked)) }))
    return this.#db.write(async (query) => {
      const ids = [...new Set(clean.map(({ record }) => record.id))]
      const held = Map.groupBy<string, Posting>(await this.#bookedUnder(query, ids), ({ record }) => record.id)
      const fresh: Posting[] = []
      for (const posting of clean) {
        const others = held.get(posting.record.id) ?? []
        const next = admit(posting, others)
        if (next === null) continue
        fresh.push(next)
        held.set(next.record.id, [...others, next])
      }
      if (fresh.length > 0) await this.#insert(query, fresh)
      return fresh.length
    })
  }

  async #insert(query: Database['query'], postings: readonly Posting[]): Promise<void> {
    const placed = await query({
      text: `INSERT INTO parley_records (${names(RECORD)}) SELECT ${names(RECORD)} FROM ${this.#db.rowsOf(RECORD)}
        RETURNING seq, id, basis`,
      values: [JSON.stringify(postings.map(sql.recordCells))],
    })
    const seqs = new Map(placed.map((row) => [`${row.basis} ${row.id}`, sql.whole(row.seq)]))
    const savings = postings.flatMap(({ record }) =>
      record.savings.map((saving, n) => ({
        record: seqs.get(`${record.basis} ${record.id}`),
        n,
        ...sql.savingCells(saving),
      })),
    )
    if (savings.length > 0) {
      await query({
        text: `INSERT INTO parley_savings (${names(SAVING)}) SELECT ${names(SAVING)} FROM ${this.#db.rowsOf(SAVING)}`,
        values: [JSON.stringify(savings)],
      })
    }
    await query({
      text: `INSERT INTO parley_spent (${names(SPENT)}) SELECT ${names(SPENT)} FROM ${this.#db.rowsOf(SPENT)} WHERE true
        ON CONFLICT (kind, tenant, name, day) DO UPDATE SET nano = parley_spent.nano + excluded.nano`,
      values: [JSON.stringify(sql.spendings(postings))],
    })
  }

  async sums(query: SumsQuery): Promise<UsageSum[]> {
    const columns = sql.groupColumns(query.groupBy)
    if (query.after !== null && query.after.length !== columns.length) return []
    const filter = sql.where(query)
    const page = columns.length > 0 && query.after !== null ? query.after : null
    const from = page === null ? null : sql.beyond(columns, '>', page, filter.values.length)
    const values = [...filter.values, ...(from?.values ?? [])]
    const condition = from === null ? filter.text : `${filter.text} AND ${from.text}`
    const groups = columns.map((c) => `r.${c}`).join(', ')
    const rows = await this.#db.query({
      text: `SELECT ${[...columns.map((c) => `r.${c}`), ...SUMS].join(', ')} FROM parley_records r WHERE ${condition}
        ${columns.length === 0 ? '' : `GROUP BY ${groups} ORDER BY ${groups}`} LIMIT $${values.length + 1}`,
      values: [...values, query.most],
    })
    const last = rows.at(-1)
    const savings = last === undefined ? [] : await this.#savings(columns, condition, values, keyOf(last, columns))
    const byKey = Map.groupBy(savings, (row) => JSON.stringify(keyOf(row, columns)))
    return rows.map((row) => sumOf(row, columns, byKey.get(JSON.stringify(keyOf(row, columns))) ?? []))
  }

  /** Savings of the groups up to `last`, by kind and counterfactual. */
  #savings(columns: string[], condition: string, values: sql.Cell[], last: GroupKey): Promise<sql.Row[]> {
    const upTo = columns.length === 0 ? null : sql.beyond(columns, '<=', last, values.length)
    const groups = [...columns.map((c) => `r.${c}`), 's.kind', 's.counterfactual', 's.unit', 's.credited_to'].join(', ')
    const sums = ['quantity', 'paid', 'otherwise', 'saved'].map((c) => `sum(s.${c}) AS ${c}`).join(', ')
    return this.#db.query({
      text: `SELECT ${groups}, ${sums} FROM parley_records r JOIN parley_savings s ON s.record = r.seq
        WHERE ${condition}${upTo === null ? '' : ` AND ${upTo.text}`} GROUP BY ${groups} ORDER BY ${groups}`,
      values: [...values, ...(upTo?.values ?? [])],
    })
  }

  async list(query: ListQuery): Promise<Booked[]> {
    const filter = sql.where(query)
    const n = filter.values.length
    const rows = await this.#db.query({
      text: `SELECT * FROM parley_records r WHERE ${filter.text} AND r.seq > $${n + 1} ORDER BY r.seq LIMIT $${n + 2}`,
      values: [...filter.values, query.after, query.most],
    })
    return this.#withSavings(this.#db.query.bind(this.#db), rows)
  }

  find(ids: readonly string[]): Promise<Booked[]> {
    return this.#bookedUnder(this.#db.query.bind(this.#db), ids)
  }

  async spent(account: LedgerAccount, period: Period) {
    const [row] = await this.#db.query(sql.spentQuery(account, period))
    return nanoUsd(sql.whole(row?.nano))
  }

  async spenders(kind: AccountKind, period: Period, most: number): Promise<Spender[]> {
    const rows = await this.#db.query(sql.spendersQuery(kind, period, most))
    return rows.map((row) => sql.spenderOf(kind, row))
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#db[Symbol.asyncDispose]()
  }

  async #bookedUnder(query: Database['query'], ids: readonly string[]): Promise<Booked[]> {
    if (ids.length === 0) return []
    const rows = await query({
      text: `SELECT * FROM parley_records WHERE id IN (SELECT id FROM ${this.#db.rowsOf([{ name: 'id', isText: true }])})
        ORDER BY seq`,
      values: [JSON.stringify(ids.map((id) => ({ id })))],
    })
    return this.#withSavings(query, rows)
  }

  async #withSavings(query: Database['query'], rows: readonly sql.Row[]): Promise<Booked[]> {
    if (rows.length === 0) return []
    const savings = await query({
      text: `SELECT s.* FROM ${this.#db.rowsOf([{ name: 'seq', isText: false }])}
        JOIN parley_savings s ON s.record = j.seq ORDER BY s.record, s.n`,
      values: [JSON.stringify(rows.map((row) => ({ seq: sql.whole(row.seq) })))],
    })
    const byRecord = Map.groupBy(savings, (row) => sql.whole(row.record))
    return rows.map((row) => sql.bookedOf(row, byRecord.get(sql.whole(row.seq)) ?? []))
  }
}

/** An estimate is a guess until a correction has put the truth in its place. */
const IS_GUESS = `r.estimated = 1 AND NOT (r.basis = 'estimate' AND EXISTS (
  SELECT 1 FROM parley_records c WHERE c.id = r.id AND c.basis = 'correction' AND c.estimated = 0))`
const SUMS = [
  ...sql.COUNT_NAMES.map((c) => `coalesce(sum(r.${c}), 0) AS ${c}`),
  // What the end of a session has saved was not bought.
  `count(*) FILTER (WHERE r.basis <> 'correction' AND r.kind <> 'session') AS requests`,
  `count(*) FILTER (WHERE r.basis <> 'correction' AND ${IS_GUESS}) AS estimated_requests`,
  `coalesce(sum(r.cost) FILTER (WHERE ${IS_GUESS}), 0) AS estimated_cost`,
]

const keyOf = (row: sql.Row, columns: readonly string[]): GroupKey =>
  columns.map((c) => (c === 'day' ? sql.whole(row[c]) : String(row[c])))

function sumOf(row: sql.Row, columns: readonly string[], savings: readonly sql.Row[]): UsageSum {
  return {
    key: keyOf(row, columns),
    requests: sql.whole(row.requests),
    usage: sql.usageOf(row),
    weighted: tokens(sql.whole(row.weighted)),
    cost: nanoUsd(sql.whole(row.cost)),
    estimatedRequests: sql.whole(row.estimated_requests),
    estimatedCost: nanoUsd(sql.whole(row.estimated_cost)),
    savings: savings.map((saving) => SavingSumFile.parse(sql.savingOf(saving))),
  }
}
