/** Sums of `GET /v1/usage` as charts and tables need them. Pure; money in nano-dollars. */

export interface Money {
  readonly nano: number
  readonly usd: string
}

export interface Saving {
  readonly kind: string
  readonly credited_to: 'parley' | 'provider'
  readonly quantity: number
  readonly unit: string
  readonly saved: Money
}

/** One row of `GET /v1/usage`, as far as it is shown here. */
export interface UsageRow {
  readonly day?: string
  readonly tenant?: string
  readonly model?: string
  readonly requests: number
  readonly tokens: { readonly input: Sums; readonly output: Sums }
  readonly cost: Money
  readonly estimated: { readonly nano: number }
  readonly savings: readonly Saving[]
}

interface Sums {
  readonly text: number
  readonly audio: number
  readonly image: number
  readonly unsplit: number
}

export interface UsagePage {
  readonly from: string
  readonly to: string
  readonly data: readonly UsageRow[]
  readonly next: string | null
}

/** A line of a chart: one number a day. */
export interface Series {
  readonly name: string
  readonly values: readonly number[]
}

export type By = 'model' | 'tenant'

/** The UTC days of a range, oldest first: `days` of them, the last one holding `now`. */
export function daysUntil(now: number, days: number): string[] {
  return Array.from({ length: days }, (_, i) => new Date(now - (days - 1 - i) * 86_400_000).toISOString().slice(0, 10))
}

export const savedOf = (row: UsageRow, by?: Saving['credited_to']): number =>
  row.savings.reduce((sum, each) => sum + (by === undefined || each.credited_to === by ? each.saved.nano : 0), 0)

export const tokensOf = ({ tokens }: UsageRow): number =>
  [tokens.input, tokens.output].reduce(
    (sum, { text, audio, image, unsplit }) => sum + text + audio + image + unsplit,
    0,
  )

/** Rows by what they cost, dearest first. */
export function dearest(rows: readonly UsageRow[]): UsageRow[] {
  return [...rows].sort((a, b) => b.cost.nano - a.cost.nano)
}

/** What each of some cost by day, and the rest of all of them. `named`: a name and its rows by day. */
export function costSeries(
  days: readonly string[],
  all: readonly UsageRow[],
  named: readonly { readonly name: string; readonly rows: readonly UsageRow[] }[],
): Series[] {
  const series = named.map(({ name, rows }) => ({ name, values: byDay(days, rows, (row) => row.cost.nano) }))
  const total = byDay(days, all, (row) => row.cost.nano)
  const rest = total.map((sum, i) => sum - series.reduce((known, { values }) => known + (values[i] ?? 0), 0))
  return rest.some((value) => value !== 0) ? [...series, { name: 'Others', values: rest }] : series
}

/** What was saved by day, one series a kind, the largest first. */
export function savingSeries(days: readonly string[], all: readonly UsageRow[]): Series[] {
  const kinds = [...new Set(all.flatMap(({ savings }) => savings.map(({ kind }) => kind)))]
  const sum = ({ values }: Series) => values.reduce((total, value) => total + value, 0)
  return kinds
    .map((kind) => ({
      name: kind,
      values: byDay(days, all, ({ savings }) =>
        savings.reduce((total, each) => total + (each.kind === kind ? each.saved.nano : 0), 0),
      ),
    }))
    .filter((series) => sum(series) !== 0)
    .sort((a, b) => sum(b) - sum(a))
}

function byDay(days: readonly string[], rows: readonly UsageRow[], read: (row: UsageRow) => number): number[] {
  const found = new Map<string, number>()
  for (const row of rows) found.set(row.day ?? '', (found.get(row.day ?? '') ?? 0) + read(row))
  return days.map((day) => found.get(day) ?? 0)
}
