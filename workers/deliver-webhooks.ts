import type { Redis } from 'ioredis'
import type { Clock } from '../src/clock.ts'
import { FaultError } from '../src/faults.ts'
import type { Log } from '../src/log.ts'
import type { Fetcher } from '../src/net/fetcher.ts'
import type { TenantHooks } from '../src/store/tenant-hooks.ts'
import type { WebhookEndpoints } from '../src/store/webhook-endpoints.ts'
import { bytes, type Ms, seconds } from '../src/units.ts'
import { readRetryAfter } from '../src/webhooks/schedule.ts'
import { signedHeaders } from '../src/webhooks/sign.ts'
import { endpointId, newEventId, type WebhookEndpoint, type WebhookEvent } from '../src/webhooks/webhook.ts'
import { type Delivery, readEvent } from '../src/webhooks/webhook-queue.ts'

export interface DeliveryTools {
  readonly clock: Clock
  readonly log: Log
  readonly redis: Redis
  readonly fetcher: Fetcher
  readonly health: WebhookEndpoints
  readonly endpoints: () => readonly WebhookEndpoint[]
  /** Endpoints that tenants have set up. */
  readonly hooks: Pick<TenantHooks, 'find'>
  /** Tells the other endpoints of one that was given up. */
  readonly publish: (event: WebhookEvent, except: string) => Promise<void>
}

/** How one attempt went. */
export type DeliveryOutcome =
  | { readonly type: 'delivered'; readonly status: number }
  /** Counts as an attempt; the next follows by the schedule, or later where the receiver asked for that. */
  | ({ readonly type: 'failed' } & Failure)
  /** Nothing was tried: the receiver has been failing, and somebody else probes it. */
  | { readonly type: 'postponed'; readonly wait: Ms }
  /** Never again. `superseded`: somebody has asked to deliver it anew, and that is another delivery. */
  | {
      readonly type: 'dropped'
      readonly why: 'endpoint_removed' | 'endpoint_disabled' | 'event_expired' | 'gone' | 'superseded'
    }

interface Failure {
  /** Null where the receiver could not be asked, or gave no answer; `code` is the fault's then, else null. */
  readonly status: number | null
  readonly code: string | null
  readonly why: string
  readonly retryAfter: Ms | null
}

const ANSWER_WITHIN = seconds(15)
const MOST_ANSWER_BYTES = 4_096

/** One attempt at one delivery. Any may run twice: the receiver knows the event by its id. */
export async function deliverWebhook(
  delivery: Delivery,
  tools: DeliveryTools,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const { clock, health } = tools
  const endpoint = await endpointOf(delivery, tools)
  if (endpoint === null) return { type: 'dropped', why: 'endpoint_removed' }
  const state = await health.health(delivery.endpoint)
  if (state.disabled !== null) return { type: 'dropped', why: 'endpoint_disabled' }
  const event = await readEvent(tools.redis, delivery.event)
  if (event === null) return { type: 'dropped', why: 'event_expired' }
  const wait = await health.admit(delivery.endpoint, state)
  if (wait !== null) return { type: 'postponed', wait }

  const answer = await post(endpoint, delivery.event, event.body, tools, signal)
  if (answer.status !== null && answer.status >= 200 && answer.status < 300) {
    await health.succeeded(delivery.endpoint)
    return { type: 'delivered', status: answer.status }
  }
  const isGone = answer.status === 410
  if (await health.failed(delivery.endpoint, isGone, clock.now())) await tellDisabled(delivery, isGone, tools)
  return isGone ? { type: 'dropped', why: 'gone' } : { type: 'failed', ...answer }
}

async function endpointOf({ tenant, endpoint }: Delivery, tools: DeliveryTools): Promise<WebhookEndpoint | null> {
  if (tenant !== undefined) return tools.hooks.find(tenant, endpoint)
  return tools.endpoints().find((each) => endpointId(each) === endpoint) ?? null
}

async function post(
  endpoint: WebhookEndpoint,
  id: string,
  body: string,
  { clock, fetcher }: DeliveryTools,
  signal: AbortSignal,
): Promise<Failure> {
  const now = clock.now()
  const headers = signedHeaders(id, Math.floor(now / 1_000), body, endpoint.secrets)
  try {
    await using response = await fetcher.fetch({
      url: endpoint.url,
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: Buffer.from(body),
      maxBytes: bytes(MOST_ANSWER_BYTES),
      redirects: 0,
      total: ANSWER_WITHIN,
      signal,
    })
    const { status } = response
    await response.head(MOST_ANSWER_BYTES).catch(ignoreFault)
    const asksToWait = status === 429 || status === 503
    const retryAfter = asksToWait ? readRetryAfter(response.headers['retry-after'], clock.now()) : null
    return { status, code: null, why: `status ${status}`, retryAfter }
  } catch (error) {
    if (error instanceof FaultError) {
      return { status: null, code: error.code, why: error.message, retryAfter: null }
    }
    throw error
  }
}

/** The status is the answer; a body that breaks off changes nothing about it. */
function ignoreFault(error: unknown): void {
  if (!(error instanceof FaultError)) throw error
}

async function tellDisabled(
  delivery: Delivery,
  isGone: boolean,
  { clock, log, publish }: DeliveryTools,
): Promise<void> {
  const reason = isGone ? 'gone' : 'failing'
  log.error({ endpoint: delivery.endpoint, reason }, 'webhook endpoint disabled')
  const event: WebhookEvent = {
    id: newEventId(),
    type: 'webhook.disabled',
    at: clock.now(),
    data: { endpoint: delivery.endpoint, reason },
  }
  await publish(event, delivery.endpoint)
}
