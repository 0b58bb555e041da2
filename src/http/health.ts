import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Metrics } from '../metrics.ts'

export interface HealthDeps {
  metrics: Metrics
  /** Why this node should get no traffic now; null when it should. */
  unready(): Promise<string | null>
}

const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
})

const alive = createRoute({
  method: 'get',
  path: '/healthz',
  summary: 'Whether the process runs',
  security: [],
  responses: { 200: json('It does', z.object({ status: z.literal('ok') })) },
})
const ready = createRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Whether this node should get traffic',
  security: [],
  responses: {
    200: json('It should', z.object({ status: z.literal('ready') })),
    503: json(
      'It drains, or something that it needs is away',
      z.object({ status: z.literal('unready'), why: z.string() }),
    ),
  },
})
const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Metrics for Prometheus',
  security: [],
  responses: { 200: { description: 'In its text format', content: { 'text/plain': { schema: z.string() } } } },
})

/** How a process is: of nodes and of processes that run workers alone. */
export function healthRoutes(app: OpenAPIHono, deps: HealthDeps): void {
  app.openapi(alive, (c) => c.json({ status: 'ok' as const }, 200))
  app.openapi(ready, async (c) => {
    const why = await deps.unready()
    return why === null ? c.json({ status: 'ready' as const }, 200) : c.json({ status: 'unready' as const, why }, 503)
  })
  app.openapi(metrics, async (c) => {
    const text = await deps.metrics.registry.metrics()
    return c.body(text, 200, { 'Content-Type': deps.metrics.registry.contentType }) as never
  })
}
