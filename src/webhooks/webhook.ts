import { createHash, randomBytes } from 'node:crypto'
import type { Instant } from '../units.ts'

/** What becomes of media jobs. */
export const JOB_EVENTS = [
  'job.queued',
  'job.started',
  'job.succeeded',
  'job.failed',
  'job.canceled',
  'job.expired',
] as const
export type JobEventType = (typeof JOB_EVENTS)[number]

/** How batches end. */
export const BATCH_EVENTS = ['batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'] as const
export type BatchEventType = (typeof BATCH_EVENTS)[number]

/** A file whose time is over, a session that is over, a budget of which a share is spent. */
export const OTHER_TENANT_EVENTS = ['file.expired', 'session.ended', 'usage.threshold'] as const

/** What tenants are told. */
export const TENANT_EVENTS = [...JOB_EVENTS, ...BATCH_EVENTS, ...OTHER_TENANT_EVENTS] as const
export type TenantEventType = (typeof TENANT_EVENTS)[number]

/** What can be told to a webhook. Receivers must expect more to come. */
export const WEBHOOK_EVENTS = ['budget.warning', 'objective.stepped', 'webhook.disabled', ...TENANT_EVENTS] as const
/** Sent when a tenant asks to see that an endpoint works; nobody subscribes to it. */
export const TEST_EVENT = 'webhook.test'
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number] | typeof TEST_EVENT

/** Somebody who wants to be told: an operator's `webhooks` in the policy file. */
export interface WebhookEndpoint {
  readonly url: string
  /** `whsec_` and base64 of 24 to 64 bytes, newest first. While two are listed both sign, so that a receiver can change over. */
  readonly secrets: readonly string[]
  /** Null: all that concerns operators. What tenants are told, which can be a lot, has to be asked for by name. */
  readonly events: readonly (typeof WEBHOOK_EVENTS)[number][] | null
}

/** One thing that happened. It keeps its id however often it is delivered: receivers count it once by that. */
export interface WebhookEvent {
  /** `[A-Za-z0-9_-]{1,80}`: the signature's form forbids dots. */
  readonly id: string
  readonly type: WebhookEventType
  readonly at: Instant
  /** Thin: ids, states and amounts, never content. */
  readonly data: Readonly<Record<string, unknown>>
}

const ID = /^[A-Za-z0-9_-]{1,80}$/
const MOST_BODY_BYTES = 20_000

/** An id for an event that happens once by its nature; where two nodes may tell the same, they derive it from what happened. */
export const newEventId = (): string => `evt_${randomBytes(18).toString('base64url')}`

/** Names an endpoint in Redis and in logs without telling its URL, which may hold a token. */
export function endpointId(endpoint: Pick<WebhookEndpoint, 'url'>): string {
  return createHash('sha256').update(endpoint.url).digest('hex').slice(0, 16)
}

export function wants(endpoint: WebhookEndpoint, type: WebhookEventType): boolean {
  if (type === TEST_EVENT) return false
  const isOfTenants = (TENANT_EVENTS as readonly string[]).includes(type)
  return endpoint.events === null ? !isOfTenants : endpoint.events.includes(type)
}

/** The exact text that is signed and sent. Throws RangeError for an id of another form and for more than 20 KB. */
export function bodyOf({ id, type, at, data }: WebhookEvent): string {
  if (!ID.test(id)) throw new RangeError('a webhook id of another form than [A-Za-z0-9_-]{1,80}')
  const body = JSON.stringify({ type, timestamp: new Date(at).toISOString(), data })
  if (Buffer.byteLength(body) > MOST_BODY_BYTES) throw new RangeError(`a webhook body over ${MOST_BODY_BYTES} bytes`)
  return body
}
