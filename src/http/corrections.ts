import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { viewerOf } from '../auth/viewer.ts'
import { FaultError } from '../faults.ts'
import { cost } from '../meter/price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import { readResponseUsage, readTranscriptionUsage } from '../meter/read-usage.ts'
import { type LedgerRecord, recordId } from '../meter/record.ts'
import { cachedInput } from '../meter/savings.ts'
import { sumTokens } from '../meter/usage.ts'
import { weighted, weightsOf } from '../meter/weights.ts'
import { type Instant, instant } from '../units.ts'
import { ledgerOf, type UsageRouteDeps } from './usage.ts'

/** Whose session it was. */
export type SessionOwner = Pick<LedgerRecord, 'tenant' | 'user' | 'keyId'>

/** Where a model that callers ask for is bought, and at which price at that time. */
export interface PricedModel {
  readonly provider: string
  readonly providerModel: string
  readonly row: PriceRow
}

export interface CorrectionRouteDeps extends UsageRouteDeps {
  /** Settles a record: false when it was booked before. */
  book(record: LedgerRecord): Promise<boolean>
  /** Null when nobody remembers the session. */
  sessionOwner(session: string): Promise<SessionOwner | null>
  /** Null for a model that is not served, or whose price is not known. */
  pricedModel(model: string, at: Instant): PricedModel | null
}

const Item = z.strictObject({
  session: z.string().min(1).max(200),
  /** The response's or item's own id at the provider. */
  provider_id: z.string().min(1).max(200),
  model: z.string().min(1).max(200),
  kind: z.enum(['response', 'transcription']).default('response'),
  /** As the provider sends it in its own events. */
  usage: z.record(z.string(), z.unknown()),
  at: z.iso.datetime({ offset: true }),
})
const Request = z.strictObject({ data: z.array(Item).min(1).max(500) }).openapi('UsageCorrections')

const OUTCOMES = ['booked', 'already_booked', 'unknown_session', 'unknown_model'] as const
const Result = z.object({ id: z.string(), outcome: z.enum(OUTCOMES), cost_nano: z.int().nullable() })

const route = createRoute({
  method: 'post',
  path: '/v1/usage/corrections',
  summary: "Book usage that only the provider's own bill knows of",
  request: { body: { content: { 'application/json': { schema: Request } }, required: true } },
  responses: {
    200: {
      description: 'What became of each, in order. The same list may be sent again.',
      content: { 'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(Result) }) } },
    },
  },
})

/**
 * M3: late truths from the operator. One that was booked is left alone, however long ago; one that finds an estimate puts
 * the truth in its place.
 */
export function correctionRoutes(app: OpenAPIHono, deps: CorrectionRouteDeps): void {
  app.openapi(route, async (c) => {
    if ((await viewerOf(deps, c.req)) !== null) throw new FaultError('forbidden', 'Only the operator may do this.')
    const data: z.infer<typeof Result>[] = []
    for (const item of c.req.valid('json').data) data.push(await correct(deps, item))
    return c.json({ object: 'list' as const, data }, 200)
  })
}

async function correct(deps: CorrectionRouteDeps, item: z.infer<typeof Item>): Promise<z.infer<typeof Result>> {
  const id = recordId(item.kind, item.session, item.provider_id)
  const at = instant(Date.parse(item.at))
  const result = (outcome: (typeof OUTCOMES)[number], cost_nano: number | null = null) => ({ id, outcome, cost_nano })
  const held = (await ledgerOf(deps).find([id])).map(({ record }) => record)
  // Redis remembers what was booked for two days, the ledger for ever.
  if (held.some((record) => record.basis !== 'estimate')) return result('already_booked')
  const owner = held[0] ?? (await ownerOf(deps, item.session))
  if (owner === null) return result('unknown_session')
  const model = deps.pricedModel(item.model, at)
  if (model === null) return result('unknown_model')

  const usage = (item.kind === 'response' ? readResponseUsage : readTranscriptionUsage)(item.usage)
  // The schema asks for an object, and every object can be read.
  if (usage === null) throw new TypeError('usage is no object')
  const price = cost(usage, model.row)
  const isNew = await deps.book({
    ...{ id, kind: item.kind, basis: 'usage', at, session: item.session, model: item.model, status: 'unknown' },
    ...{ tenant: owner.tenant, user: owner.user, keyId: owner.keyId },
    ...{ provider: model.provider, providerModel: model.providerModel, providerId: item.provider_id },
    ...{ usage, cost: price.nano, priceRow: price.rowId, estimated: price.estimated },
    weighted: weighted(usage, weightsOf(model.row)),
    savings: sumTokens(usage.cached) > 0 ? [cachedInput(usage, model.row)] : [],
  })
  return isNew ? result('booked', price.nano) : result('already_booked')
}

/** From anything the ledger has of the session, else from the session's own record. */
async function ownerOf(deps: CorrectionRouteDeps, session: string): Promise<SessionOwner | null> {
  const all = { from: instant(0), to: instant(Number.MAX_SAFE_INTEGER), tenant: null, user: null, model: null }
  const [any] = await ledgerOf(deps).list({ ...all, session, most: 1, after: 0 })
  return any?.record ?? (await deps.sessionOwner(session))
}
