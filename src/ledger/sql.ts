import { z } from 'zod'
import type { LedgerRecord } from '../meter/record.ts'
import type { TokenCount, Usage } from '../meter/usage.ts'
import { instant, ms, nanoUsd, tokens } from '../units.ts'
import {
  accountsOfRecord,
  type Booked,
  GROUPS,
  type Group,
  type GroupKey,
  type LedgerAccount,
  type Posting,
  type RecordFilter,
  type Spender,
} from './ledger.ts'
import { dayNumber, type Period } from './period.ts'
import { tidy } from './record-text.ts'

/**
 * What both stores say in SQL. Placeholders are `$1`, `$2`, …; every number is an integer of 64 bits, every name is
 * compared byte by byte, so that both sort alike. A cell comes back as a string, a bigint or a number: `whole` reads all.
 */
export type Cell = string | number | bigint | null
export type Row = Readonly<Record<string, unknown>>

/** Names of the usage's numbers as columns, and how to read one. */
const COUNTS = {
  text_in: (r) => r.usage.in.text,
  audio_in: (r) => r.usage.in.audio,
  image_in: (r) => r.usage.in.image,
  text_cached: (r) => r.usage.cached.text,
  audio_cached: (r) => r.usage.cached.audio,
  image_cached: (r) => r.usage.cached.image,
  unsplit_cached: (r) => r.usage.cachedUnsplit,
  unsplit_in: (r) => r.usage.unsplitIn,
  text_out: (r) => r.usage.out.text,
  audio_out: (r) => r.usage.out.audio,
  image_out: (r) => r.usage.out.image,
  unsplit_out: (r) => r.usage.unsplitOut,
  audio_ms: (r) => r.usage.audioMs,
  session_ms: (r) => r.usage.sessionMs,
  standby_ms: (r) => r.usage.standbyMs,
  text_items: (r) => r.usage.textItems,
  weighted: (r) => r.weighted,
  cost: (r) => r.cost,
} as const satisfies Record<string, (record: LedgerRecord) => number>
type Count = keyof typeof COUNTS
export const COUNT_NAMES = Object.keys(COUNTS) as Count[]

const NAMES = {
  id: (r) => r.id,
  basis: (r) => r.basis,
  kind: (r) => r.kind,
  tenant: (r) => r.tenant,
  user_name: (r) => r.user ?? '',
  key_id: (r) => r.keyId,
  session: (r) => r.session,
  model: (r) => r.model,
  provider: (r) => r.provider,
  provider_model: (r) => r.providerModel,
  provider_id: (r) => r.providerId,
  status: (r) => r.status,
  price_row: (r) => r.priceRow,
} as const satisfies Record<string, (record: LedgerRecord) => string>
const WHOLES = {
  at: (r) => r.at,
  day: (r) => dayNumber(r.at),
  ...COUNTS,
  usage_estimated: (r) => Number(r.usage.estimated),
  estimated: (r) => Number(r.estimated),
} as const satisfies Record<string, (record: LedgerRecord) => number>

/** Columns of a record, without its `seq`. */
const COLUMNS = { ...NAMES, ...WHOLES }
export const COLUMN_NAMES: readonly string[] = ['booked', ...Object.keys(COLUMNS)]

export const recordCells = ({ record, booked }: Posting): Record<string, Cell> => ({
  booked,
  ...Object.fromEntries(Object.entries(COLUMNS).map(([name, read]) => [name, read(record)])),
})
export const isName = (column: string): boolean => column in NAMES

const SAVING_COLUMNS = [
  'kind',
  'quantity',
  'unit',
  'paid',
  'otherwise',
  'saved',
  'counterfactual',
  'credited_to',
  'row_id',
]
const SAVING_NAMES = new Set(['kind', 'unit', 'counterfactual', 'credited_to', 'row_id'])

/** The tables, in the types of one database. `serial` numbers rows as they come. */
export function tables(types: { whole: string; name: string; serial: string; suffix: string }): string {
  const { whole, name, serial, suffix } = types
  const column = (c: string, isText: boolean) => `${c} ${isText ? name : whole} NOT NULL`
  return `
    CREATE TABLE IF NOT EXISTS parley_ledger (id ${name} NOT NULL, version ${whole} NOT NULL)${suffix};
    CREATE TABLE IF NOT EXISTS parley_records (
      seq ${serial}, ${COLUMN_NAMES.map((c) => column(c, isName(c))).join(', ')},
      UNIQUE (id, basis), CHECK (basis IN ('usage', 'estimate', 'correction')))${suffix};
    CREATE INDEX IF NOT EXISTS parley_records_day ON parley_records (day, tenant);
    CREATE INDEX IF NOT EXISTS parley_records_tenant ON parley_records (tenant, day);
    CREATE INDEX IF NOT EXISTS parley_records_session ON parley_records (session);
    CREATE TABLE IF NOT EXISTS parley_savings (
      record ${whole} NOT NULL REFERENCES parley_records (seq), n ${whole} NOT NULL,
      ${SAVING_COLUMNS.map((c) => column(c, SAVING_NAMES.has(c))).join(', ')},
      PRIMARY KEY (record, n))${suffix};
    CREATE TABLE IF NOT EXISTS parley_spent (
      kind ${name} NOT NULL, tenant ${name} NOT NULL, name ${name} NOT NULL, day ${whole} NOT NULL, nano ${whole} NOT NULL,
      PRIMARY KEY (kind, tenant, name, day))${suffix};
    CREATE INDEX IF NOT EXISTS parley_spent_day ON parley_spent (kind, day);
  `
}
export const VERSION = 1

/** The row of a saving, beside `record` and `n`. */
export function savingCells(saving: LedgerRecord['savings'][number]): Record<string, Cell> {
  const { kind, quantity, unit, paid, otherwise, saved, counterfactual } = saving
  return {
    ...{ kind, quantity, unit, paid, otherwise, saved, counterfactual },
    credited_to: saving.creditedTo,
    row_id: saving.rowId,
  }
}
export const SAVING_ROW = ['record', 'n', ...SAVING_COLUMNS]
export const isSavingName = (column: string): boolean => SAVING_NAMES.has(column)

/** A row of `parley_spent`: money by account and day. */
interface Spending {
  readonly kind: string
  readonly tenant: string
  readonly name: string
  readonly day: number
  nano: number
}

/** Rows of `parley_spent` that records add to. */
export function spendings(postings: readonly Posting[]): Spending[] {
  const sums = new Map<string, Spending>()
  for (const { record, booked } of postings) {
    for (const account of accountsOfRecord(record)) {
      const row = { ...spentKey(account), day: dayNumber(booked), nano: 0 }
      const key = JSON.stringify(row)
      const held = sums.get(key) ?? row
      held.nano = nanoUsd(held.nano + record.cost)
      sums.set(key, held)
    }
  }
  // In one order everywhere, so that two writers cannot wait for each other.
  return [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}

function spentKey(account: LedgerAccount): { kind: string; tenant: string; name: string } {
  switch (account.kind) {
    case 'installation':
      return { kind: account.kind, tenant: '', name: '' }
    case 'tenant':
      return { kind: account.kind, tenant: account.tenant, name: '' }
    case 'user':
      return { kind: account.kind, tenant: account.tenant, name: account.user }
    case 'session':
      return { kind: account.kind, tenant: '', name: account.session }
  }
}

export function spentQuery(account: LedgerAccount, period: Period): Statement {
  const { kind, tenant, name } = spentKey(account)
  return {
    text: `SELECT coalesce(sum(nano), 0) AS nano FROM parley_spent
      WHERE kind = $1 AND tenant = $2 AND name = $3 AND day >= $4 AND day < $5`,
    values: [kind, tenant, name, ...daysOf(period)],
  }
}

export function spendersQuery(kind: LedgerAccount['kind'], period: Period, most: number): Statement {
  const inPeriod =
    kind === 'session'
      ? `AND name IN (SELECT name FROM parley_spent WHERE kind = $1 AND day >= $2 AND day < $3)`
      : 'AND day >= $2 AND day < $3'
  return {
    text: `SELECT tenant, name, sum(nano) AS nano FROM parley_spent WHERE kind = $1 ${inPeriod}
      GROUP BY tenant, name ORDER BY sum(nano) DESC, tenant, name LIMIT $4`,
    values: [kind, ...daysOf(period), most],
  }
}

export function spenderOf(kind: LedgerAccount['kind'], row: Row): Spender {
  const [tenant, name] = [String(row.tenant), String(row.name)]
  const accounts: Record<LedgerAccount['kind'], LedgerAccount> = {
    installation: { kind: 'installation' },
    tenant: { kind: 'tenant', tenant },
    user: { kind: 'user', tenant, user: name },
    session: { kind: 'session', session: name },
  }
  return { account: accounts[kind], nano: nanoUsd(whole(row.nano)) }
}

const MOST_DAYS = 100_000_000
const daysOf = ({ from, to }: Period): [number, number] => [dayNumber(from), Math.min(MOST_DAYS, dayNumber(to))]

export interface Statement {
  readonly text: string
  readonly values: Cell[]
}

const GROUP_COLUMNS: Record<Group, string> = {
  day: 'day',
  tenant: 'tenant',
  user: 'user_name',
  model: 'model',
  session: 'session',
}

/** The groups asked for as columns, in their one order. */
export const groupColumns = (groups: readonly Group[]): string[] =>
  GROUPS.filter((group) => groups.includes(group)).map((group) => GROUP_COLUMNS[group])

/** A condition with its values; `next` is the number of its first parameter. */
export function where(filter: RecordFilter, table = 'r'): Statement {
  const parts: string[] = []
  const values: Cell[] = []
  const need = (sql: string, value: Cell) => {
    values.push(value)
    parts.push(`${table}.${sql} $${values.length}`)
  }
  const day = (at: number) => Math.floor(Math.max(0, Math.min(at, MOST_DAYS * 86_400_000)) / 86_400_000)
  need('day >=', day(filter.from))
  need('day <=', day(filter.to))
  need('at >=', Math.ceil(filter.from))
  need('at <', Math.ceil(filter.to))
  if (filter.tenant !== null) need('tenant =', filter.tenant)
  if (filter.user !== null) need('user_name =', filter.user)
  if (filter.model !== null) need('model =', filter.model)
  if (filter.session !== null) need('session =', filter.session)
  return { text: parts.join(' AND '), values }
}

/** Keeps rows whose group lies after `key` (`>`), or up to it (`<=`). */
export function beyond(columns: readonly string[], sign: '>' | '<=', key: GroupKey, before: number): Statement {
  const places = key.map((_, i) => `$${before + i + 1}`)
  return { text: `(${columns.map((c) => `r.${c}`).join(', ')}) ${sign} (${places.join(', ')})`, values: [...key] }
}

/** A number from a cell. Throws RangeError past 2^53, rather than to round money. */
export function whole(cell: unknown): number {
  const n = typeof cell === 'number' ? cell : Number(z.union([z.string(), z.bigint()]).parse(cell))
  if (!Number.isSafeInteger(n)) throw new RangeError('a sum of the ledger is beyond 2^53')
  return n
}

/** The usage's numbers from a row that has them all. */
export function usageOf(row: Row): Omit<Usage, 'estimated'> {
  const n = (column: Count) => whole(row[column])
  const of = (end: 'in' | 'cached' | 'out') =>
    ({ text: n(`text_${end}`), audio: n(`audio_${end}`), image: n(`image_${end}`) }) as TokenCount
  return {
    in: of('in'),
    cached: of('cached'),
    cachedUnsplit: tokens(n('unsplit_cached')),
    unsplitIn: tokens(n('unsplit_in')),
    out: of('out'),
    unsplitOut: tokens(n('unsplit_out')),
    audioMs: ms(n('audio_ms')),
    sessionMs: ms(n('session_ms')),
    standbyMs: ms(n('standby_ms')),
    textItems: n('text_items'),
  }
}

/** What is booked, from its row and the rows of its savings. */
export function bookedOf(row: Row, savings: readonly Row[]): Booked {
  const record = tidy({
    ...{ id: row.id, basis: row.basis, kind: row.kind, status: row.status, model: row.model, provider: row.provider },
    at: whole(row.at),
    tenant: row.tenant,
    user: row.user_name,
    keyId: row.key_id,
    session: row.session,
    providerModel: row.provider_model,
    providerId: row.provider_id,
    usage: { ...usageOf(row), estimated: whole(row.usage_estimated) === 1 },
    cost: whole(row.cost),
    priceRow: row.price_row,
    estimated: whole(row.estimated) === 1,
    weighted: whole(row.weighted),
    savings: savings.map(savingOf),
  })
  return { seq: whole(row.seq), booked: instant(whole(row.booked)), record }
}

export function savingOf(row: Row) {
  const { kind, unit, counterfactual } = row
  const [quantity, paid, otherwise, saved] = [row.quantity, row.paid, row.otherwise, row.saved].map(whole)
  return {
    kind,
    unit,
    counterfactual,
    quantity,
    paid,
    otherwise,
    saved,
    creditedTo: row.credited_to,
    rowId: row.row_id,
  }
}
