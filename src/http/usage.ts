import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { type ViewerDeps, viewerOf } from '../auth/viewer.ts'
import { FaultError } from '../faults.ts'
import { GROUPS, type Group, type GroupKey, type Ledger, type SumsQuery } from '../ledger/ledger.ts'
import { earlier, type Instant, instant, ms } from '../units.ts'
import { csvOf, rowOf, UsageRow } from './usage-rows.ts'

export interface UsageRouteDeps extends ViewerDeps {
  /** Null on a node that does not hold it. */
  ledger(): Ledger | null
}

const MOST_ROWS = 10_000
/** What is shown when nobody says from when. */
const LAST = ms(30 * 86_400_000)

const when = z.union([z.iso.date(), z.iso.datetime({ offset: true })])
const name = z.string().max(1_000)
const Query = z.object({
  from: when.optional().openapi({ description: 'A UTC day or an instant; 30 days before `to` when left out' }),
  to: when
    .optional()
    .openapi({ description: 'The first instant that does not count; a day counts to its end; now when left out' }),
  group_by: z
    .string()
    .default('day')
    .transform((list) => list.split(',').filter((group) => group !== ''))
    .pipe(z.array(z.enum(GROUPS)))
    .openapi({
      type: 'string',
      example: 'day,model',
      description: `Any of ${GROUPS.join(', ')}; empty for one row in all`,
    }),
  tenant: name.optional(),
  user: name.optional(),
  model: name.optional(),
  session: name.optional(),
  format: z.enum(['json', 'csv']).optional(),
  limit: z.coerce.number().int().min(1).max(MOST_ROWS).default(1_000),
  after: z.string().max(4_000).optional().openapi({ description: '`next` of the page before' }),
})

const Answer = z.object({
  object: z.literal('list'),
  from: z.string(),
  to: z.string(),
  data: z.array(UsageRow),
  /** For `after`; null on the last page. */
  next: z.string().nullable(),
})

const route = createRoute({
  method: 'get',
  path: '/v1/usage',
  summary: 'What was used, what it cost and what was saved',
  request: { query: Query },
  responses: {
    200: {
      description: 'Rows in ascending order of their groups; as CSV with `format=csv` or `Accept: text/csv`',
      content: { 'application/json': { schema: Answer }, 'text/csv': { schema: z.string() } },
    },
  },
})

/** M5: usage for the operator, who sees all, and for tenants, who see their own. */
export function usageRoutes(app: OpenAPIHono, deps: UsageRouteDeps): void {
  app.openapi(route, async (c) => {
    const viewer = await viewerOf(deps, c.req)
    const query = c.req.valid('query')
    const { group_by: groupBy, limit } = query
    const { from, to } = rangeOf(query, deps.clock.now())
    if (viewer !== null && query.tenant !== undefined && query.tenant !== viewer.tenant) {
      throw new FaultError('forbidden', 'A tenant sees its own usage only.', { param: 'tenant' })
    }
    const filter: SumsQuery = {
      ...{ from, to, groupBy, after: cursorOf(query.after, groupBy), most: Math.min(limit + 1, MOST_ROWS + 1) },
      tenant: viewer?.tenant ?? query.tenant ?? null,
      user: query.user ?? null,
      model: query.model ?? null,
      session: query.session ?? null,
    }
    const sums = await ledgerOf(deps).sums(filter)
    const page = sums.slice(0, limit)
    const last = page.at(-1)
    const next = sums.length > limit && last !== undefined ? cursor(last.key) : null
    const rows = page.map((sum) => rowOf(sum, groupBy))

    c.header('Cache-Control', 'no-store')
    const wantsCsv = query.format === 'csv' || (query.format === undefined && prefersCsv(c.req.header('accept')))
    if (!wantsCsv) {
      const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() }
      return c.json({ object: 'list' as const, ...range, data: rows, next }, 200)
    }
    if (next !== null) {
      const url = new URL(c.req.url)
      url.searchParams.set('after', next)
      c.header('Link', `<${url.pathname}${url.search}>; rel="next"`)
    }
    c.header('Content-Type', 'text/csv; charset=utf-8; header=present')
    c.header('Content-Disposition', 'attachment; filename="parley-usage.csv"')
    c.header('X-Content-Type-Options', 'nosniff')
    return c.body(csvOf(rows, groupBy), 200)
  })
}

/** The ledger, or the fault that says where it is. */
export function ledgerOf(deps: UsageRouteDeps): Ledger {
  const ledger = deps.ledger()
  if (ledger !== null) return ledger
  throw new FaultError('store_unavailable', 'The ledger is on another node: ask that one, or let all share a Postgres.')
}

function rangeOf(
  query: { from?: string | undefined; to?: string | undefined },
  now: Instant,
): { from: Instant; to: Instant } {
  const isDay = query.to?.length === '2026-11-25'.length
  const to = query.to === undefined ? now : instant(Date.parse(query.to) + (isDay ? 86_400_000 : 0))
  const from = query.from === undefined ? earlier(to, LAST) : instant(Date.parse(query.from))
  if (from >= to) throw new FaultError('invalid_request', "Invalid 'from': must be before 'to'", { param: 'from' })
  return { from, to }
}

const cursor = (key: GroupKey): string => Buffer.from(JSON.stringify(key)).toString('base64url')

function cursorOf(text: string | undefined, groupBy: readonly Group[]): GroupKey | null {
  if (text === undefined) return null
  const groups = GROUPS.filter((group) => groupBy.includes(group))
  try {
    const values = z.array(z.union([z.string(), z.int()])).parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    const fits = groups.every((group, i) => typeof values[i] === (group === 'day' ? 'number' : 'string'))
    if (fits && values.length === groups.length) return values
  } catch {
    // Told below, like a cursor that belongs to another grouping.
  }
  throw new FaultError('invalid_request', "Invalid 'after': not the 'next' of such a page", { param: 'after' })
}

/** CSV is named, and not only as one of anything. */
function prefersCsv(accept: string | undefined): boolean {
  const types = (accept ?? '').split(',').map((type) => type.split(';')[0]?.trim())
  return types.includes('text/csv') && !types.includes('application/json')
}
