import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { idFrom, idTime, isId } from '../media/ids.ts'
import { type Instant, instant } from '../units.ts'
import { keys } from './keys.ts'
import { fromStore } from './limit-scripts.ts'

/** Not tried yet; not delivered by the last attempt, whether or not more will follow; delivered. */
export const MESSAGE_STATUSES = ['pending', 'failed', 'delivered'] as const
export type MessageStatus = (typeof MESSAGE_STATUSES)[number]

/** As long as what it says is kept, so that whatever is listed can be delivered again. */
const KEEP_MS = 7 * 24 * 3_600_000
/**
 * Of one tenant, by status; the oldest make room. A record is some 600 bytes with its place in the index, so that a tenant
 * takes 7 MB at the very most; failures, which somebody may want to deliver again, have most of it.
 */
const MOST: Record<MessageStatus, number> = { pending: 5_000, failed: 5_000, delivered: 1_000 }
/** Records that are looked through at a time. */
const AT_ONCE = 500

/** What names a message in whatever is written about it later. */
export interface MessageRef {
  readonly id: string
  /** Counts the times somebody has asked to deliver it again. */
  readonly round: number
  readonly type: string
  /** Id of what it is about: a job, a batch, a file, an endpoint. */
  readonly subject: string | null
}

/** One event on its way to one endpoint of a tenant. */
export interface WebhookMessage extends MessageRef {
  /** Id of the event: the `webhook-id` of every attempt. */
  readonly event: string
  /** Its id, or the name of a URL that a job has named. */
  readonly endpoint: string
  readonly status: MessageStatus
  readonly attempts: number
  /** How the last attempt went: what the receiver answered, or why it could not. Both null before the first. */
  readonly answered: number | null
  readonly error: string | null
  /** Null where none is to come. */
  readonly nextAttemptAt: Instant | null
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

export interface MessageFilter {
  readonly limit: number
  readonly after?: string | undefined
  readonly before?: string | undefined
  readonly status?: MessageStatus | undefined
  readonly endpoint?: string | undefined
  /** Created then or later. */
  readonly since?: Instant | undefined
  /** Created before. */
  readonly until?: Instant | undefined
}

/** What one attempt has come to. */
export interface AttemptRecord {
  /** Left out: as it was. */
  readonly status?: MessageStatus
  /** Whether the receiver was called. */
  readonly tried: boolean
  readonly answered?: number | null
  readonly error?: string | null
  readonly nextAttemptAt: Instant | null
}

/** What tenants have been told, and how that went: for a week, and never what the receivers said. */
export class WebhookMessages {
  readonly #redis: Redis & Scripts

  constructor(redis: Redis) {
    const lua = readFileSync(new URL('./scripts/webhook-message.lua', import.meta.url), 'utf8')
    redis.defineCommand('webhookMessage', { numberOfKeys: 1, lua })
    this.#redis = redis as Redis & Scripts
  }

  /** Notes that an event is on its way to an endpoint. Noting it again changes nothing and answers the same. */
  async begin(
    tenant: string,
    message: { event: string; endpoint: string; type: string; subject: string | null; at: Instant },
  ): Promise<MessageRef> {
    const { event, endpoint, type, subject, at } = message
    const bits = createHash('sha256').update(`${event} ${endpoint}`).digest().subarray(0, 8)
    const ref = { id: idFrom('msg', at, bits), round: 0, type, subject }
    await this.#write(tenant, ref.id, 'new', 'pending', 0, at, { event, endpoint, type, subject, next: at })
    return ref
  }

  /** Notes an attempt; one of an earlier round than the message is in changes nothing. */
  async attempted(
    tenant: string,
    ref: MessageRef,
    to: { event: string; endpoint: string },
    { status, tried, answered, error, nextAttemptAt }: AttemptRecord,
    now: Instant,
  ): Promise<void> {
    const { id, round, type, subject } = ref
    const outcome = answered === undefined && error === undefined ? {} : { answered, error }
    const fields = { ...to, type, subject, next: nextAttemptAt, ...outcome }
    await this.#write(tenant, id, round, status ?? '', tried ? 1 : 0, now, fields)
  }

  /** Begins another round; attempts of those before end without a call. Null for a message that is not there. */
  async again(tenant: string, id: string, now: Instant): Promise<number | null> {
    const round = await this.#write(tenant, id, '+', 'pending', 0, now, { next: now })
    return round < 0 ? null : round
  }

  async isSuperseded(tenant: string, { id, round }: MessageRef): Promise<boolean> {
    return Number((await ask(this.#redis.hget(messageKey(tenant, id), 'round'))) ?? 0) > round
  }

  async read(tenant: string, id: string): Promise<WebhookMessage | null> {
    return isId('msg', id) ? messageFrom(id, await ask(this.#redis.hgetall(messageKey(tenant, id)))) : null
  }

  /** One page, newest first. */
  async list(tenant: string, filter: MessageFilter): Promise<{ messages: WebhookMessage[]; hasMore: boolean }> {
    const { after, before, limit } = filter
    const isBackward = before !== undefined && after === undefined
    const bounds = boundsOf(filter, { newest: after, oldest: before })
    const found = await this.#walk(tenant, filter, bounds, isBackward)
    const page = found.slice(0, limit)
    return { messages: isBackward ? page.reverse() : page, hasMore: found.length > limit }
  }

  /** The same, oldest first, from after a message on: the order in which they were told. */
  async inOrder(
    tenant: string,
    filter: Omit<MessageFilter, 'before'>,
  ): Promise<{ messages: WebhookMessage[]; hasMore: boolean }> {
    const found = await this.#walk(tenant, filter, boundsOf(filter, { oldest: filter.after }), true)
    return { messages: found.slice(0, filter.limit), hasMore: found.length > filter.limit }
  }

  /** One more than the limit, where there are so many. */
  async #walk(
    tenant: string,
    { limit, status, endpoint }: MessageFilter,
    bounds: Bounds,
    isUpward: boolean,
  ): Promise<WebhookMessage[]> {
    const found: WebhookMessage[] = []
    let { oldest, newest } = bounds
    for (;;) {
      const ids = await this.#ids(tenant, status, { oldest, newest }, isUpward)
      for (const message of await Promise.all(ids.map((id) => this.read(tenant, id)))) {
        if (message === null || (status ?? message.status) !== message.status) continue
        if (endpoint !== undefined && message.endpoint !== endpoint) continue
        if (found.push(message) > limit) return found
      }
      if (ids.length < AT_ONCE) return found
      if (isUpward) oldest = `(${ids.at(-1)}`
      else newest = `(${ids.at(-1)}`
    }
  }

  async #ids(
    tenant: string,
    status: MessageStatus | undefined,
    { oldest, newest }: Bounds,
    isUpward: boolean,
  ): Promise<string[]> {
    const parts = await Promise.all(
      (status === undefined ? MESSAGE_STATUSES : [status]).map((each) => {
        const index = `${keys.tenant(tenant)}:messages:${each}`
        const limit = ['LIMIT', 0, AT_ONCE] as const
        return ask(
          isUpward
            ? this.#redis.zrangebylex(index, oldest, newest, ...limit)
            : this.#redis.zrevrangebylex(index, newest, oldest, ...limit),
        )
      }),
    )
    const ids = [...new Set(parts.flat())].sort()
    return (isUpward ? ids : ids.reverse()).slice(0, AT_ONCE)
  }

  #write(
    tenant: string,
    id: string,
    round: number | 'new' | '+',
    status: MessageStatus | '',
    attempts: number,
    now: Instant,
    fields: Record<string, string | number | null | undefined>,
  ): Promise<number> {
    const most = MOST[status === '' ? 'pending' : status]
    const oldest = firstIdAt(instant(Math.max(0, now - KEEP_MS)))
    const pairs = Object.entries({ ...fields, updated: now }).flatMap(([name, value]) => [name, value ?? ''])
    const args = [id, round, status, attempts, most, KEEP_MS, oldest, ...pairs]
    return ask(this.#redis.webhookMessage(keys.tenant(tenant), ...args))
  }
}

interface Scripts {
  webhookMessage(root: string, ...args: (string | number)[]): Promise<number>
}

/** As Redis writes the ends of a range of names. */
interface Bounds {
  readonly oldest: string
  readonly newest: string
}

const ask = <T>(reply: Promise<T>) => fromStore(reply, 'Webhook messages cannot be read or changed at the moment.')
const messageKey = (tenant: string, id: string) => `${keys.tenant(tenant)}:message:${id}`
const firstIdAt = (at: Instant) => idFrom('msg', at, new Uint8Array(8))

/** The narrower of a range of times and one of ids. */
function boundsOf(
  { since, until }: Pick<MessageFilter, 'since' | 'until'>,
  ids: { oldest?: string | undefined; newest?: string | undefined },
): Bounds {
  const from = since === undefined ? '' : firstIdAt(since)
  const to = until === undefined ? undefined : firstIdAt(until)
  const { oldest = '', newest } = ids
  const high = [to, newest].filter((id) => id !== undefined).sort()[0]
  return {
    oldest: oldest >= from ? (oldest === '' ? '-' : `(${oldest}`) : `[${from}`,
    newest: high === undefined ? '+' : `(${high}`,
  }
}

function messageFrom(id: string, raw: Record<string, string>): WebhookMessage | null {
  const { event, endpoint, type } = raw
  if (event === undefined || endpoint === undefined || type === undefined) return null
  const textOf = (name: string) => (raw[name] === undefined || raw[name] === '' ? null : raw[name])
  const numberOf = (name: string) => (textOf(name) === null ? null : Number(raw[name]))
  return {
    ...{ id, event, endpoint, type },
    round: Number(raw.round),
    subject: textOf('subject'),
    status: raw.status as MessageStatus,
    attempts: Number(raw.attempts ?? 0),
    answered: numberOf('answered'),
    error: textOf('error'),
    nextAttemptAt: numberOf('next') as Instant | null,
    createdAt: idTime('msg', id) as Instant,
    updatedAt: Number(raw.updated) as Instant,
  }
}
