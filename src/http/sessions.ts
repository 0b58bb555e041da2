import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { type ViewerDeps, viewerOf } from '../auth/viewer.ts'
import { FaultError } from '../faults.ts'

/** A session as operators and tenants see it. No content. Times in Unix ms, lengths in ms. */
export const SessionView = z
  .object({
    id: z.string(),
    object: z.literal('parley.session'),
    tenant: z.string(),
    user: z.string().nullable(),
    model: z.string(),
    kind: z.enum(['conversation', 'transcription']),
    plan: z.string(),
    node: z.string(),
    phase: z.enum(['opening', 'live', 'parked', 'draining', 'ended']),
    reason: z.string().nullable(),
    admitted_at: z.number(),
    ends_at: z.number(),
    ended_at: z.number().nullable(),
    /** When the idle cutoff comes if nothing happens; null while the clock is held, or on another node. */
    idle_ends_at: z.number().nullable(),
    usage: z.object({
      input_tokens: z.number(),
      output_tokens: z.number(),
      responses: z.number(),
      cost_nano_usd: z.number(),
    }),
  })
  .openapi('Session')
export type SessionView = z.infer<typeof SessionView>

/** Sessions of all nodes. */
export interface SessionRegistry {
  /** Sessions that have not ended, oldest first; of one tenant or of all. */
  list(tenant: string | null, most: number): Promise<SessionView[]>
  get(id: string): Promise<SessionView | null>
  /** Asks for the end of a session, wherever it runs; false when it is over. */
  end(id: string): Promise<boolean>
}

export interface SessionRouteDeps extends ViewerDeps {
  registry: SessionRegistry
}

const Id = z.object({ id: z.string().max(64) })
const ok = <T extends z.ZodType>(schema: T, description: string) => ({
  200: { description, content: { 'application/json': { schema } } },
})

const list = createRoute({
  method: 'get',
  path: '/v1/sessions',
  summary: 'Sessions that are running',
  request: { query: z.object({ limit: z.coerce.number().int().min(1).max(10_000).default(100) }) },
  responses: ok(z.object({ object: z.literal('list'), data: z.array(SessionView) }), 'Oldest first'),
})
const get = createRoute({
  method: 'get',
  path: '/v1/sessions/{id}',
  summary: 'One session, also for a day after its end',
  request: { params: Id },
  responses: ok(SessionView, 'The session'),
})
const end = createRoute({
  method: 'post',
  path: '/v1/sessions/{id}/end',
  summary: 'End a session now',
  request: { params: Id },
  responses: ok(z.object({ id: z.string(), ending: z.boolean() }), 'Whether there was anything to end'),
})
const models = createRoute({
  method: 'get',
  path: '/v1/models',
  summary: 'Models that can be asked for',
  responses: ok(
    z.object({
      object: z.literal('list'),
      data: z.array(z.object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })),
    }),
    'In the order of the policy file',
  ),
})

/** Routes for the operator, who sees all, and for tenants, who see their own. */
export function sessionRoutes(app: OpenAPIHono, deps: SessionRouteDeps): void {
  const viewer = async (request: Parameters<typeof viewerOf>[1]) => (await viewerOf(deps, request))?.tenant ?? null

  app.openapi(models, async (c) => {
    await viewer(c.req)
    const data = [...deps.config().models.keys()].map((id) => ({
      id,
      object: 'model' as const,
      created: 0,
      owned_by: 'parley',
    }))
    return c.json({ object: 'list' as const, data }, 200)
  })
  app.openapi(list, async (c) => {
    const tenant = await viewer(c.req)
    const data = await deps.registry.list(tenant, c.req.valid('query').limit)
    return c.json({ object: 'list' as const, data }, 200)
  })
  app.openapi(get, async (c) => {
    const tenant = await viewer(c.req)
    return c.json(await own(deps, tenant, c.req.valid('param').id), 200)
  })
  app.openapi(end, async (c) => {
    const tenant = await viewer(c.req)
    const { id } = await own(deps, tenant, c.req.valid('param').id)
    return c.json({ id, ending: await deps.registry.end(id) }, 200)
  })
}

/** Another tenant's session is not there, as far as anybody can tell. */
async function own(deps: SessionRouteDeps, tenant: string | null, id: string): Promise<SessionView> {
  const view = await deps.registry.get(id)
  if (view === null || (tenant !== null && view.tenant !== tenant)) {
    throw new FaultError('session_not_found', 'There is no such session.')
  }
  return view
}
