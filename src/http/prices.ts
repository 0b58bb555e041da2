import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { type ViewerDeps, viewerOf } from '../auth/viewer.ts'
import type { PriceRow } from '../meter/price-row.ts'
import type { PriceSheet } from '../meter/price-sheet.ts'

export interface PriceRouteDeps extends ViewerDeps {
  prices(): PriceSheet
}

/** One row of the price sheet: what a price is, since when, and who says so. */
export const PriceRowView = z
  .object({
    id: z.string(),
    provider: z.string(),
    model: z.string(),
    kind: z.string(),
    region: z.string().nullable(),
    prices: z.record(
      z.string(),
      z.object({
        pico_usd: z.int().openapi({ description: 'Trillionths of a US dollar' }),
        per: z.int().openapi({ description: 'Tokens, milliseconds or items' }),
      }),
    ),
    valid_from: z.string().nullable(),
    valid_to: z.string().nullable(),
    source: z.string(),
    source_date: z.string().nullable(),
    confidence: z.enum(['docs', 'third_party', 'conflict', 'operator']),
    note: z.string().nullable(),
  })
  .openapi('PriceRow')

export function priceRowView(row: PriceRow): z.infer<typeof PriceRowView> {
  const day = (at: number | null) => (at === null ? null : new Date(at).toISOString().slice(0, 10))
  const { id, provider, model, kind, region, source, confidence, note } = row
  const prices = Object.entries(row.prices).map(([unit, { pico, per }]) => [unit, { pico_usd: pico, per }])
  return {
    ...{ id, provider, model, kind, region, source, confidence, note },
    prices: Object.fromEntries(prices),
    valid_from: day(row.validFrom),
    valid_to: day(row.validTo),
    source_date: row.sourceDate,
  }
}

const route = createRoute({
  method: 'get',
  path: '/v1/prices',
  summary: 'The price sheet',
  request: { query: z.object({ provider: z.string().max(200).optional(), model: z.string().max(200).optional() }) },
  responses: {
    200: {
      description: 'Rows in the order of the sheet',
      content: { 'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(PriceRowView) }) } },
    },
  },
})

export function priceRoutes(app: OpenAPIHono, deps: PriceRouteDeps): void {
  app.openapi(route, async (c) => {
    await viewerOf(deps, c.req)
    const { provider, model } = c.req.valid('query')
    const rows = deps
      .prices()
      .rows.filter((row) => (provider ?? row.provider) === row.provider)
      .filter((row) => model === undefined || row.model === model || row.aliases.includes(model))
    return c.json({ object: 'list' as const, data: rows.map(priceRowView) }, 200)
  })
}
