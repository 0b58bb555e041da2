import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { AuditLog } from '../audit/audit-log.ts'

const Hash = z.string().regex(/^[0-9a-f]{64}$/)

/** One row as it stands in the log of this node. Times in Unix ms. */
const Row = z
  .object({
    seq: z.number(),
    at: z.number(),
    node: z.string(),
    kind: z.string(),
    actor: z.string(),
    tenant: z.string().nullable(),
    subject: z.string().nullable(),
    detail: z.unknown(),
    previous: Hash,
    hash: Hash,
  })
  .openapi('AuditRow')

const Verdict = z
  .object({
    ok: z.boolean(),
    /** Rows found good, from the first on. */
    rows: z.number(),
    head: z.object({ seq: z.number(), hash: Hash }),
    problem: z.object({ seq: z.number(), what: z.enum(['altered', 'missing', 'out_of_order']) }).nullable(),
  })
  .openapi('AuditVerdict')

const read = createRoute({
  method: 'get',
  path: '/v1/admin/audit',
  summary: 'The audit log of the node that answers; every node keeps its own',
  request: {
    query: z.object({
      after: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(1_000).default(100),
    }),
  },
  responses: {
    200: {
      description: 'Rows after number `after`, oldest first',
      content: {
        'application/json': {
          schema: z.object({ object: z.literal('list'), data: z.array(Row), has_more: z.boolean() }),
        },
      },
    },
  },
})
const verify = createRoute({
  method: 'get',
  path: '/v1/admin/audit/verify',
  summary: 'Check every row of the log of the node that answers',
  request: {
    query: z
      .object({ seq: z.coerce.number().int().min(1).optional(), hash: Hash.optional() })
      .refine(({ seq, hash }) => (seq === undefined) === (hash === undefined), 'needs both seq and hash, or neither')
      .openapi({ description: 'A head told earlier, which must still be part of the log' }),
  },
  responses: { 200: { description: 'What was found', content: { 'application/json': { schema: Verdict } } } },
})

export function auditRoutes(app: OpenAPIHono, audit: AuditLog): void {
  app.openapi(read, async (c) => {
    const { after, limit } = c.req.valid('query')
    const rows = await audit.read(after, limit + 1)
    return c.json({ object: 'list' as const, data: rows.slice(0, limit), has_more: rows.length > limit }, 200)
  })
  app.openapi(verify, async (c) => {
    const { seq, hash } = c.req.valid('query')
    const anchor = seq === undefined || hash === undefined ? undefined : { seq, hash }
    return c.json(await audit.verify(anchor), 200)
  })
}
