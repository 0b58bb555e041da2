import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Administration, PlanInput } from '../admin/administration.ts'
import type { PlanConfig } from '../config/config.ts'
import { plan as planSchema } from '../config/schema.ts'
import { writtenPlan } from '../config/written.ts'

const PlanView = z
  .object({
    name: z.string(),
    object: z.literal('parley.plan'),
    /** What the policy file names can only be changed there. */
    source: z.enum(['policy_file', 'stored']),
    /** In the words of the policy file, with every default said; durations in ms. */
    plan: z.looseObject({}),
  })
  .openapi('Plan')

const Params = z.object({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,40}$/, 'expected 1 to 40 of A-Z, a-z, 0-9, _ and -'),
})

const list = createRoute({
  method: 'get',
  path: '/v1/admin/plans',
  summary: 'All plans, those of the policy file too',
  responses: {
    200: {
      description: 'The plans',
      content: { 'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(PlanView) }) } },
    },
  },
})
const put = createRoute({
  method: 'put',
  path: '/v1/admin/plans/{name}',
  summary: 'Make or replace a plan',
  request: { params: Params, body: { content: { 'application/json': { schema: planSchema } }, required: true } },
  responses: { 200: { description: 'The plan', content: { 'application/json': { schema: PlanView } } } },
})
const remove = createRoute({
  method: 'delete',
  path: '/v1/admin/plans/{name}',
  summary: 'Remove a plan that no tenant is on',
  request: { params: Params },
  responses: { 204: { description: 'It is gone' } },
})

export function planRoutes(app: OpenAPIHono, administration: Administration): void {
  const { policy } = administration
  const view = (name: string, plan: PlanConfig) => ({
    name,
    object: 'parley.plan' as const,
    source: policy.file.plans.has(name) ? ('policy_file' as const) : ('stored' as const),
    plan: writtenPlan(plan),
  })

  app.openapi(list, async (c) => {
    const data = [...policy.config.plans].map(([name, plan]) => view(name, plan))
    return c.json({ object: 'list' as const, data }, 200)
  })
  app.openapi(put, async (c) => {
    const { name } = c.req.valid('param')
    c.req.valid('json')
    await administration.putPlan(name, (await c.req.json()) as PlanInput)
    return c.json(view(name, policy.config.plans.get(name) as PlanConfig), 200)
  })
  app.openapi(remove, async (c) => {
    await administration.removePlan(c.req.valid('param').name)
    return c.body(null, 204)
  })
}
