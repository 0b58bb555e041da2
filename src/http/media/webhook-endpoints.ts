import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { FaultError } from '../../faults.ts'
import { invalid } from '../../invalid-request.ts'
import { iso, Time, Whole } from '../../jobs/wire.ts'
import { outboundUrl } from '../../net/outbound-url.ts'
import type { IdempotentRequests } from '../../store/idempotent-requests.ts'
import { MOST_ENDPOINTS, type TenantHook, type TenantHooks } from '../../store/tenant-hooks.ts'
import type { WebhookEndpoints } from '../../store/webhook-endpoints.ts'
import {
  BATCH_EVENTS,
  JOB_EVENTS,
  newEventId,
  TENANT_EVENTS,
  TEST_EVENT,
  type TenantEventType,
  type WebhookEvent,
} from '../../webhooks/webhook.ts'
import type { Recipient } from '../../webhooks/webhook-queue.ts'
import { jsonOnce } from './do-once.ts'
import type { GuardDeps, RoomDeps } from './guard.ts'
import { canonical } from './idempotency-key.ts'
import { NamedRequest, page, pageOf, problems } from './schemas.ts'

export interface WebhookRouteDeps extends GuardDeps, RoomDeps {
  hooks: TenantHooks
  health: Pick<WebhookEndpoints, 'enable'>
  once: IdempotentRequests
  deliver(event: WebhookEvent, recipients: readonly Recipient[]): Promise<void>
}

const Events = z.array(z.enum(TENANT_EVENTS)).min(1).nullable().openapi({ description: 'Null: all of them' })
const Url = z.url().max(2_048).openapi({ example: 'https://example.com/hooks/media' })
const Endpoint = z.object({
  id: z.string(),
  object: z.literal('webhook_endpoint'),
  url: z.string(),
  events: Events,
  enabled: z.boolean(),
  created_at: Time,
})
const EndpointView = Endpoint.openapi('WebhookEndpoint')
const secret = z.string().openapi({ description: 'Signs what is sent, as Standard Webhooks 1.0 has it; shown once' })
const Secret = z.object({ secret })

const Id = z.object({ id: z.string().max(64) })
const ok = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})
const json = <T extends z.ZodType>(schema: T, examples: Record<string, { value: unknown }>) => ({
  body: { content: { 'application/json': { schema, examples } }, required: true as const },
})

const PATH = '/v1/webhook_endpoints'
const ONE = `${PATH}/{id}` as const
const create = createRoute({
  method: 'post',
  path: PATH,
  summary: 'Be told of what becomes of jobs, batches, files, sessions and budgets',
  request: {
    headers: NamedRequest,
    ...json(z.strictObject({ url: Url, events: Events.default(null) }), {
      all: { value: { url: 'https://example.com/hooks/media' } },
      ends: { value: { url: 'https://example.com/hooks/media', events: ['job.succeeded', 'job.failed'] } },
    }),
  },
  responses: { 201: ok(Endpoint.extend({ secret }), 'The endpoint, and its secret'), ...problems(409) },
})
const list = createRoute({
  method: 'get',
  path: PATH,
  summary: 'Endpoints that are told',
  responses: { 200: ok(pageOf(EndpointView), 'All of them'), ...problems() },
})
const get = createRoute({
  method: 'get',
  path: ONE,
  summary: 'One endpoint',
  request: { params: Id },
  responses: { 200: ok(EndpointView, 'The endpoint'), ...problems(404) },
})
const change = createRoute({
  method: 'patch',
  path: ONE,
  summary: 'Change an endpoint',
  request: {
    params: Id,
    ...json(z.strictObject({ url: Url.optional(), events: Events.optional(), enabled: z.boolean().optional() }), {
      pause: { value: { enabled: false } },
    }),
  },
  responses: { 200: ok(EndpointView, 'The endpoint'), ...problems(404) },
})
const remove = createRoute({
  method: 'delete',
  path: ONE,
  summary: 'Remove an endpoint',
  request: { params: Id },
  responses: { 204: { description: 'It is told nothing any more' }, ...problems(404) },
})
const rotate = createRoute({
  method: 'post',
  path: `${ONE}/rotate_secret`,
  summary: 'A new secret; for a day the one before signs as well',
  request: { params: Id, headers: NamedRequest },
  responses: { 200: ok(Secret, 'The secret'), ...problems(404, 409) },
})
const probe = createRoute({
  method: 'post',
  path: `${ONE}/test`,
  summary: 'Send an event `webhook.test` to an endpoint',
  request: { params: Id, headers: NamedRequest },
  responses: { 202: ok(z.object({ id: z.string() }), 'Id of the event that is on its way'), ...problems(404, 409) },
})
const own = createRoute({
  method: 'get',
  path: '/v1/webhook_secret',
  summary: 'The secret that signs for the URLs which jobs name themselves',
  responses: { 200: ok(Secret, 'The secret'), ...problems() },
})
const rotateOwn = createRoute({
  method: 'post',
  path: '/v1/webhook_secret/rotate',
  summary: 'A new one; for a day the one before signs as well',
  request: { headers: NamedRequest },
  responses: { 200: ok(Secret, 'The secret'), ...problems(409) },
})

/** Where a tenant wants to be told; what is told is written by the jobs' own scripts, once for each change. */
export function webhookRoutes(app: OpenAPIHono, deps: WebhookRouteDeps): void {
  const { hooks, once } = deps
  describeEvents(app)
  const check = (url: string) => {
    try {
      outboundUrl(url, deps.config().outbound)
    } catch (error) {
      if (error instanceof FaultError) throw invalid('/url', error.code, error.message)
      throw error
    }
  }
  const find = async (tenant: string, id: string) => {
    const found = (await hooks.list(tenant)).find((hook) => hook.id === id)
    if (found === undefined) throw noEndpoint()
    return found
  }

  app.openapi(create, async (c) => {
    const wish = c.req.valid('json')
    check(wish.url)
    const made = await jsonOnce(c, once, canonical(wish), async () => {
      await deps.memory.requireRoom()
      const made = await hooks.create(c.var.principal.tenant, wish)
      if (made === null) throw new FaultError('wrong_state', `There are ${MOST_ENDPOINTS} endpoints already.`)
      const { hook, secret } = made
      return { body: { ...endpointView(hook), secret }, headers: { Location: `${PATH}/${hook.id}` } }
    })
    return c.json(made, 201)
  })
  app.openapi(list, async (c) => {
    const all = await hooks.list(c.var.principal.tenant)
    return c.json(page(all.map(endpointView), false), 200)
  })
  app.openapi(get, async (c) => c.json(endpointView(await find(c.var.principal.tenant, c.req.valid('param').id)), 200))
  app.openapi(change, async (c) => {
    const wish = c.req.valid('json')
    if (wish.url !== undefined) check(wish.url)
    const { tenant } = c.var.principal
    const { id } = await find(tenant, c.req.valid('param').id)
    const changed = await hooks.change(tenant, id, wish)
    if (changed === null) throw noEndpoint()
    // Whoever switches it on says that its receiver is well again, whatever it has answered before.
    if (wish.enabled === true) await deps.health.enable(id)
    return c.json(endpointView(changed), 200)
  })
  app.openapi(remove, async (c) => {
    if (!(await hooks.remove(c.var.principal.tenant, c.req.valid('param').id))) throw noEndpoint()
    return c.body(null, 204)
  })
  app.openapi(rotate, async (c) => {
    const { tenant } = c.var.principal
    const { id } = await find(tenant, c.req.valid('param').id)
    const rotated = async () => ({ body: { secret: (await hooks.rotate(tenant, id)) ?? '' } })
    return c.json(await jsonOnce(c, once, '', rotated), 200)
  })
  app.openapi(probe, async (c) => {
    const { tenant } = c.var.principal
    const { id: endpoint } = await find(tenant, c.req.valid('param').id)
    const event = await jsonOnce(c, once, '', async () => {
      const id = newEventId()
      await deps.deliver({ id, type: TEST_EVENT, at: deps.clock.now(), data: { id: endpoint } }, [{ endpoint, tenant }])
      return { body: { id } }
    })
    return c.json(event, 202)
  })
  app.openapi(own, async (c) => c.json({ secret: await hooks.secretForJobs(c.var.principal.tenant) }, 200))
  app.openapi(rotateOwn, async (c) => {
    const rotated = async () => ({ body: { secret: (await hooks.rotate(c.var.principal.tenant, null)) ?? '' } })
    return c.json(await jsonOnce(c, once, '', rotated), 200)
  })
}

/** For the document: what is sent to endpoints. */
function describeEvents(app: OpenAPIHono): void {
  for (const event of TENANT_EVENTS) {
    app.openAPIRegistry.registerWebhook({
      method: 'post',
      path: event,
      summary: `A ${event.startsWith('usage') ? "tenant's" : event.split('.')[0]} ${SAID[event]}`,
      description:
        'Signed as Standard Webhooks 1.0 has it. May come more than once and in any order: `data.seq` tells.',
      request: {
        headers: z.object({
          'webhook-id': z.string(),
          'webhook-timestamp': z.string(),
          'webhook-signature': z.string(),
        }),
        body: { content: { 'application/json': { schema: BODIES[event] ?? Message } }, required: true },
      },
      responses: { 200: { description: 'Any 2xx within 15 s; 410 removes the endpoint' } },
    })
  }
}

const SAID = {
  'job.queued': 'waits',
  'job.started': 'has begun',
  'job.succeeded': 'has a result',
  'job.failed': 'has failed',
  'job.canceled': 'was canceled',
  'job.expired': 'was not begun in time',
  'batch.completed': 'has the results of all its lines',
  'batch.failed': 'has mistakes in it, and was not begun',
  'batch.expired': 'has come to the end of its window, with what is done',
  'batch.cancelled': 'was cancelled, with what is done',
  'file.expired': 'has come to the end of its time, and is gone',
  'session.ended': 'is over',
  'usage.threshold': 'budget is spent to 80 or 95 percent',
} as const satisfies Record<TenantEventType, string>

const Change = z.object({
  id: z.string(),
  object: z.enum(['job', 'batch', 'file']),
  status: z.string(),
  seq: z.int(),
  metadata: z.record(z.string(), z.string()),
  ended_at: Time.nullable(),
  result_url: z.string().nullable(),
})
const SessionEnd = Change.extend({
  object: z.literal('session'),
  user: z.string().nullable(),
  reason: z.string().nullable(),
  duration_ms: Whole,
  cost_nano_usd: Whole,
})
const Threshold = z.object({
  id: z.string().openapi({ description: 'The tenant' }),
  object: z.literal('usage'),
  limit: z.enum(['day', 'month']),
  period: z.string().openapi({ description: 'UTC', example: '2026-11-25' }),
  threshold: Whole.openapi({ description: 'Percent' }),
  spent_nano_usd: Whole,
  cap_nano_usd: Whole,
})

const messageOf = <T extends z.ZodType, E extends TenantEventType>(types: readonly E[], data: T) =>
  z.object({ type: z.enum(types), timestamp: Time, data })
const Message = messageOf([...JOB_EVENTS, ...BATCH_EVENTS, 'file.expired'], Change).openapi('WebhookMessage')
const BODIES: Partial<Record<TenantEventType, z.ZodType>> = {
  'session.ended': messageOf(['session.ended'], SessionEnd).openapi('SessionEndedMessage'),
  'usage.threshold': messageOf(['usage.threshold'], Threshold).openapi('UsageThresholdMessage'),
}

const noEndpoint = () => new FaultError('not_found', 'There is no such endpoint.')

function endpointView({ id, url, events, enabled, createdAt }: TenantHook): z.infer<typeof EndpointView> {
  return {
    ...{ id, object: 'webhook_endpoint', url, enabled },
    events: events === null ? null : [...events],
    created_at: iso(createdAt),
  }
}
