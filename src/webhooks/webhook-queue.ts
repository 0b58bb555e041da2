import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { keys } from '../store/keys.ts'
import { type WebhookMessage, WebhookMessages } from '../store/webhook-messages.ts'
import type { Instant } from '../units.ts'
import { ATTEMPTS } from './schedule.ts'
import {
  bodyOf,
  endpointId,
  TEST_EVENT,
  WEBHOOK_EVENTS,
  type WebhookEndpoint,
  type WebhookEvent,
  wants,
} from './webhook.ts'

export const WEBHOOK_QUEUE = 'parley-webhooks'
/** One hash tag, so that a Redis Cluster keeps the whole queue on one node. */
export const WEBHOOK_PREFIX = '{mq:webhooks}'
/** How long an event can be delivered again. Longer than its last attempt can be away, by far. */
const KEEP_EVENT_MS = 7 * 24 * 3_600_000
/** Jobs that are done are kept this long, so that telling an event again adds no second delivery, s. */
const KEEP_DONE_S = 3_600

/** What a job holds: pointers only. The secrets and the URL are looked up at each attempt. */
export const Delivery = z.object({
  event: z.string(),
  endpoint: z.string(),
  /** Whose endpoint it is; left out: one of the operator's, from the configuration. */
  tenant: z.string().optional(),
  /** What a tenant's list says of it. */
  message: z.object({ id: z.string(), round: z.int(), type: z.string(), subject: z.string().nullable() }).optional(),
})
export type Delivery = z.infer<typeof Delivery>

/** One who is to be told. */
export type Recipient = Omit<Delivery, 'event' | 'message'>

const StoredEvent = z.object({ type: z.enum([...WEBHOOK_EVENTS, TEST_EVENT]), body: z.string() })
export type StoredEvent = z.infer<typeof StoredEvent>

/** From something that happened to one delivery for each endpoint that wants to know. */
export class WebhookQueue implements AsyncDisposable {
  readonly #redis: Redis
  readonly #queue: Queue
  readonly #messages: WebhookMessages
  readonly #endpoints: () => readonly WebhookEndpoint[]

  /** `redis`: one that fails soon. It stays the caller's to close. */
  constructor(redis: Redis, endpoints: () => readonly WebhookEndpoint[]) {
    this.#redis = redis
    this.#endpoints = endpoints
    this.#messages = new WebhookMessages(redis)
    this.#queue = new Queue(WEBHOOK_QUEUE, { connection: redis, prefix: WEBHOOK_PREFIX })
    // Whoever publishes learns of a failure by the rejection.
    this.#queue.on('error', () => undefined)
  }

  /**
   * Rejects when Redis does not take it; may then be called again with the same event, as it may after a lost reply: each
   * endpoint gets it once. `except`: an endpoint that is not told.
   */
  async publish(event: WebhookEvent, except?: string): Promise<void> {
    const ids = this.#endpoints()
      .filter((endpoint) => wants(endpoint, event.type))
      .map(endpointId)
      .filter((id) => id !== except)
    if (ids.length === 0) return
    const recipients = [...new Set(ids)].map((endpoint) => ({ endpoint }))
    await this.deliver(event, recipients)
  }

  /** The same to recipients that the caller has chosen. */
  async deliver(event: WebhookEvent, recipients: readonly Recipient[]): Promise<void> {
    const stored: StoredEvent = { type: event.type, body: bodyOf(event) }
    await this.#redis.set(keys.webhookEvent(event.id), JSON.stringify(stored), 'PX', KEEP_EVENT_MS, 'NX')
    const subject = typeof event.data.id === 'string' ? event.data.id : null
    for (const { endpoint, tenant } of recipients) {
      const delivery = { event: event.id, endpoint }
      if (tenant === undefined) {
        await this.#add(delivery, '')
        continue
      }
      const about = { ...delivery, type: event.type, subject, at: event.at }
      await this.#add({ ...delivery, tenant, message: await this.#messages.begin(tenant, about) }, '')
    }
  }

  /**
   * Delivers a tenant's message anew, under the old id of its event; attempts that were still to come are given up. False
   * when the message, or what it says, is not known any more.
   */
  async deliverAgain(tenant: string, message: WebhookMessage, now: Instant): Promise<boolean> {
    const { id, event, endpoint, type, subject } = message
    if ((await this.read(event)) === null) return false
    const round = await this.#messages.again(tenant, id, now)
    if (round === null) return false
    await this.#add({ event, endpoint, tenant, message: { id, round, type, subject } }, `-r${round}`)
    return true
  }

  /**
   * Delivers an event anew, under its old id, to one endpoint or to all that want it. `request` names the asking, so that a
   * repeated one adds nothing. False when the event is not known any more.
   */
  async redeliver(eventId: string, request: string, endpoint?: string): Promise<boolean> {
    const event = await this.read(eventId)
    if (event === null) return false
    const ids = this.#endpoints()
      .filter((each) => wants(each, event.type))
      .map(endpointId)
      .filter((id) => endpoint === undefined || id === endpoint)
    for (const id of new Set(ids)) await this.#add({ event: eventId, endpoint: id }, `-${request}`)
    return ids.length > 0
  }

  async read(eventId: string): Promise<StoredEvent | null> {
    return readEvent(this.#redis, eventId)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close()
  }

  async #add(delivery: Delivery, suffix: string): Promise<void> {
    await this.#queue.add('deliver', delivery, {
      jobId: `${delivery.event}-${delivery.endpoint}${suffix}`,
      attempts: ATTEMPTS,
      backoff: { type: 'custom' },
      removeOnComplete: { age: KEEP_DONE_S, count: 1_000 },
      removeOnFail: { age: 24 * 3_600, count: 1_000 },
    })
  }
}

/** The same, for a worker. */
export async function readEvent(redis: Redis, eventId: string): Promise<StoredEvent | null> {
  const text = await redis.get(keys.webhookEvent(eventId))
  return text === null ? null : StoredEvent.parse(JSON.parse(text))
}
