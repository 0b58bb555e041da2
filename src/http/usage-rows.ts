import { z } from '@hono/zod-openapi'
import { GROUPS, type Group, type GroupKey, type UsageSum } from '../ledger/ledger.ts'
import { dayName } from '../ledger/period.ts'
import { SAVING_KINDS } from '../ledger/record-text.ts'
import { dollars } from '../meter/decimal.ts'
import { nanoUsd } from '../units.ts'

const count = z.object({ text: z.int(), audio: z.int(), image: z.int() })
const money = { nano: z.int().openapi({ description: 'Billionths of a US dollar' }), usd: z.string() }

/** One row of usage. Amounts are whole numbers; the same money stands beside as exact decimal dollars. */
export const UsageRow = z
  .object({
    day: z.string().optional().openapi({ example: '2026-11-25', description: 'UTC' }),
    tenant: z.string().optional(),
    user: z.string().nullable().optional(),
    model: z.string().optional(),
    session: z.string().optional(),
    requests: z.int(),
    tokens: z.object({
      input: count.extend({ unsplit: z.int() }),
      cached: count.extend({ unsplit: z.int() }).openapi({ description: 'The part of input that came from a cache' }),
      output: count.extend({ unsplit: z.int() }),
      weighted: z.int(),
    }),
    audio_seconds: z.number(),
    session_seconds: z.number(),
    standby_seconds: z.number(),
    text_items: z.int(),
    cost: z.object(money),
    estimated: z.object({
      requests: z.int(),
      ...money,
      share: z.number().openapi({ description: 'Of the cost, 0 to 1' }),
    }),
    savings: z.array(
      z.object({
        kind: z.string(),
        counterfactual: z.string(),
        credited_to: z.enum(['parley', 'provider']),
        quantity: z.int(),
        unit: z.enum(['ms', 'tokens', 'answers']),
        paid: z.object(money),
        otherwise: z.object(money),
        saved: z.object(money),
      }),
    ),
  })
  .openapi('UsageRow')
export type UsageRow = z.infer<typeof UsageRow>

const moneyOf = (nano: number) => ({ nano, usd: dollars(nanoUsd(nano)) })

export function rowOf(sum: UsageSum, groupBy: readonly Group[]): UsageRow {
  const { usage, cost, estimatedCost, estimatedRequests } = sum
  return {
    ...groupsOf(sum.key, groupBy),
    requests: sum.requests,
    tokens: {
      input: { ...usage.in, unsplit: usage.unsplitIn },
      cached: { ...usage.cached, unsplit: usage.cachedUnsplit },
      output: { ...usage.out, unsplit: usage.unsplitOut },
      weighted: sum.weighted,
    },
    audio_seconds: usage.audioMs / 1_000,
    session_seconds: usage.sessionMs / 1_000,
    standby_seconds: usage.standbyMs / 1_000,
    text_items: usage.textItems,
    cost: moneyOf(cost),
    estimated: {
      requests: estimatedRequests,
      ...moneyOf(estimatedCost),
      share: cost === 0 ? 0 : Math.round((estimatedCost / cost) * 10_000) / 10_000,
    },
    savings: sum.savings.map(({ kind, counterfactual, creditedTo, quantity, unit, paid, otherwise, saved }) => ({
      ...{ kind, counterfactual, credited_to: creditedTo, quantity, unit },
      paid: moneyOf(paid),
      otherwise: moneyOf(otherwise),
      saved: moneyOf(saved),
    })),
  }
}

function groupsOf(key: GroupKey, groupBy: readonly Group[]): Pick<UsageRow, Group> {
  const groups = GROUPS.filter((group) => groupBy.includes(group))
  const value = (group: Group, i: number) => {
    if (group === 'day') return dayName(Number(key[i]))
    return group === 'user' && key[i] === '' ? null : String(key[i])
  }
  return Object.fromEntries(groups.map((group, i) => [group, value(group, i)]))
}

/** A spreadsheet takes a cell that begins like this for a formula, and would run what a stranger called himself. */
const FORMULA = /^[=+\-@\t\r]/

/** A text cell: always in quotes, never a formula. */
const text = (value: string): string => `"${(FORMULA.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`

/** Rows as CSV (RFC 4180), one column a number, so that any spreadsheet can add them up. */
export function csvOf(rows: readonly UsageRow[], groupBy: readonly Group[]): string {
  const groups = GROUPS.filter((group) => groupBy.includes(group))
  const numbers = COLUMNS.map(([name]) => name)
  const lines = rows.map((row) => [
    ...groups.map((group) => text(row[group] ?? '')),
    ...COLUMNS.map(([, read]) => String(read(row))),
  ])
  return [[...groups, ...numbers], ...lines].map((cells) => `${cells.join(',')}\r\n`).join('')
}

type Column = readonly [name: string, read: (row: UsageRow) => number | string]

const tokenColumns = (['input', 'cached', 'output'] as const).flatMap((end) =>
  (['text', 'audio', 'image', 'unsplit'] as const).map(
    (m): Column => [`${end}_${m}_tokens`, (row) => row.tokens[end][m]],
  ),
)
/** A kind's savings under all its counterfactuals, and which these were. */
const savingColumns = SAVING_KINDS.flatMap((kind): Column[] => {
  const of = (row: UsageRow) => row.savings.filter((saving) => saving.kind === kind)
  const sum = (row: UsageRow, read: (saving: UsageRow['savings'][number]) => number) =>
    of(row).reduce((total, saving) => total + read(saving), 0)
  return [
    [`${kind}_quantity`, (row) => sum(row, (saving) => saving.quantity)],
    [`${kind}_otherwise_nano_usd`, (row) => sum(row, (saving) => saving.otherwise.nano)],
    [`${kind}_saved_nano_usd`, (row) => sum(row, (saving) => saving.saved.nano)],
    [
      `${kind}_counterfactual`,
      (row) =>
        text(
          of(row)
            .map((saving) => saving.counterfactual)
            .join(' '),
        ),
    ],
  ]
})
const COLUMNS: readonly Column[] = [
  ['requests', (row) => row.requests],
  ...tokenColumns,
  ['weighted_tokens', (row) => row.tokens.weighted],
  ['audio_seconds', (row) => row.audio_seconds],
  ['session_seconds', (row) => row.session_seconds],
  ['standby_seconds', (row) => row.standby_seconds],
  ['text_items', (row) => row.text_items],
  ['cost_nano_usd', (row) => row.cost.nano],
  ['cost_usd', (row) => row.cost.usd],
  ['estimated_requests', (row) => row.estimated.requests],
  ['estimated_nano_usd', (row) => row.estimated.nano],
  ...savingColumns,
]
