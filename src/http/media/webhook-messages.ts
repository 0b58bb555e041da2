import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { FaultError } from '../../faults.ts'
import { iso, isoOrNull, Time, Whole } from '../../jobs/wire.ts'
import { isId } from '../../media/ids.ts'
import type { IdempotentRequests } from '../../store/idempotent-requests.ts'
import type { TenantHooks } from '../../store/tenant-hooks.ts'
import { MESSAGE_STATUSES, type WebhookMessage, type WebhookMessages } from '../../store/webhook-messages.ts'
import { instant } from '../../units.ts'
import { jsonOnce } from './do-once.ts'
import type { GuardDeps } from './guard.ts'
import { canonical } from './idempotency-key.ts'
import { NamedRequest, PageQuery, page, pageOf, problems } from './schemas.ts'

export interface MessageRouteDeps extends GuardDeps {
  messages: WebhookMessages
  hooks: TenantHooks
  once: IdempotentRequests
  /** False when what the message says is not kept any more. */
  deliverAgain(tenant: string, message: WebhookMessage): Promise<boolean>
}

/** So many are on their way again within seconds, even where each takes some trips to a Redis elsewhere. */
const MOST_REPLAYED = 500

const Status = z.enum(MESSAGE_STATUSES).openapi({
  description:
    '`pending`: not tried yet. `failed`: not delivered by the last attempt; `next_attempt_at` says whether more follow',
})
const MessageView = z
  .object({
    id: z.string(),
    object: z.literal('webhook_message'),
    webhook_id: z.string().openapi({ description: 'The header `webhook-id` of every attempt' }),
    type: z.string().openapi({ example: 'job.succeeded' }),
    subject_id: z.string().nullable().openapi({ description: 'Id of the job, or of whatever else it is about' }),
    endpoint_id: z.string().nullable().openapi({ description: 'Null: the URL that the job itself has named' }),
    status: Status,
    attempts: Whole,
    last_outcome: z
      .object({
        status: Whole.nullable().openapi({ description: 'HTTP status of the receiver' }),
        error: z.string().nullable().openapi({ description: 'Why there is none; expect more of them to come' }),
      })
      .nullable(),
    next_attempt_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi('WebhookMessageRecord')

const when = z.iso.datetime({ offset: true })
const endpoint = z.string().max(64).optional()
const ListQuery = PageQuery.extend({
  status: Status.optional(),
  endpoint_id: endpoint,
  created_after: when.optional(),
  created_before: when.optional(),
})
const Replay = z.strictObject({
  created_after: when.openapi({ description: 'Then or later' }),
  created_before: when,
  status: Status.optional(),
  endpoint_id: endpoint,
  after: z.string().max(64).optional().openapi({ description: '`last_id` of the answer before, to go on from there' }),
  limit: z.int().min(1).max(MOST_REPLAYED).default(MOST_REPLAYED),
})
const Replayed = z.object({
  object: z.literal('webhook_replay'),
  redelivered: Whole,
  skipped: Whole.openapi({ description: 'Their endpoint is gone or switched off, or what they say is not kept' }),
  has_more: z.boolean(),
  last_id: z.string().nullable(),
})

const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } })
const PATH = '/v1/webhook_messages'
const list = createRoute({
  method: 'get',
  path: PATH,
  summary: 'What has been told to webhooks within a week, newest first',
  request: { query: ListQuery },
  responses: { 200: { description: 'One page', content: json(pageOf(MessageView)) }, ...problems() },
})
const redeliver = createRoute({
  method: 'post',
  path: `${PATH}/{id}/redeliver`,
  summary: 'Deliver a message again, at once and under the same `webhook-id`',
  request: { params: z.object({ id: z.string().max(64) }), headers: NamedRequest },
  responses: { 202: { description: 'It is on its way', content: json(MessageView) }, ...problems(404, 409) },
})
const lost = {
  summary: 'What a receiver has missed',
  value: { created_after: '2026-11-25T12:00:00Z', created_before: '2026-11-25T13:00:00Z', status: 'failed' },
}
const replay = createRoute({
  method: 'post',
  path: `${PATH}/replay`,
  summary: 'Deliver the messages of a time again, oldest first',
  request: {
    headers: NamedRequest,
    body: { content: { 'application/json': { schema: Replay, examples: { lost } } }, required: true },
  },
  responses: { 202: { description: 'They are on their way', content: json(Replayed) }, ...problems(409) },
})

/** What a tenant has been told, and telling it again. */
export function messageRoutes(app: OpenAPIHono, { messages, hooks, once, deliverAgain }: MessageRouteDeps): void {
  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const found = await messages.list(c.var.principal.tenant, { ...query, ...rangeOf(query) })
    return c.json(page(found.messages.map(messageView), found.hasMore), 200)
  })
  app.openapi(redeliver, async (c) => {
    const { tenant } = c.var.principal
    const { id } = c.req.valid('param')
    const message = await messages.read(tenant, id)
    if (message === null) throw noMessage()
    if ((await hooks.find(tenant, message.endpoint)) === null) {
      throw new FaultError('wrong_state', 'Its endpoint has been removed or switched off.')
    }
    const view = await jsonOnce(c, once, '', async () => {
      if (!(await deliverAgain(tenant, message))) {
        throw new FaultError('wrong_state', 'What the message says is not kept any more.')
      }
      return { body: messageView((await messages.read(tenant, id)) ?? message) }
    })
    return c.json(view, 202)
  })
  app.openapi(replay, async (c) => {
    const { tenant } = c.var.principal
    const wish = c.req.valid('json')
    const replayed = await jsonOnce(c, once, canonical(wish), async () => {
      const found = await messages.inOrder(tenant, { ...wish, ...rangeOf(wish) })
      const wanted = new Map<string, boolean>()
      let redelivered = 0
      for (const message of found.messages) {
        const { endpoint } = message
        const isWanted = wanted.get(endpoint) ?? (await hooks.find(tenant, endpoint)) !== null
        wanted.set(endpoint, isWanted)
        if (isWanted && (await deliverAgain(tenant, message))) redelivered++
      }
      const skipped = found.messages.length - redelivered
      const last_id = found.messages.at(-1)?.id ?? null
      return { body: { object: 'webhook_replay' as const, redelivered, skipped, has_more: found.hasMore, last_id } }
    })
    return c.json(replayed, 202)
  })
}

const noMessage = () => new FaultError('not_found', 'There is no such message.')

function rangeOf(wish: {
  created_after?: string | undefined
  created_before?: string | undefined
  endpoint_id?: string | undefined
}) {
  const at = (text: string | undefined) => (text === undefined ? undefined : instant(Date.parse(text)))
  return { since: at(wish.created_after), until: at(wish.created_before), endpoint: wish.endpoint_id }
}

function messageView(message: WebhookMessage): z.infer<typeof MessageView> {
  const { id, event, type, subject, endpoint, status, attempts, answered, error } = message
  return {
    ...{ id, object: 'webhook_message', webhook_id: event, type, subject_id: subject },
    endpoint_id: isId('whe', endpoint) ? endpoint : null,
    ...{ status, attempts },
    last_outcome: answered === null && error === null ? null : { status: answered, error },
    next_attempt_at: isoOrNull(message.nextAttemptAt),
    created_at: iso(message.createdAt),
    updated_at: iso(message.updatedAt),
  }
}
