import { createHash, randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { isId, newId } from '../media/ids.ts'
import type { Instant } from '../units.ts'
import { type TenantEventType, WEBHOOK_EVENTS, type WebhookEndpoint } from '../webhooks/webhook.ts'
import { keys } from './keys.ts'
import { fromStore } from './limit-scripts.ts'

/** After a change of secrets the old one signs on for so long, so that a receiver can change over. */
const BOTH_SIGN_MS = 24 * 3_600_000
/** A job's own URL is known for longer than its last delivery can be away. */
const JOB_URL_KEPT_MS = 8 * 24 * 3_600_000
/** The secret by which the URLs that jobs name are signed has the place of an endpoint with this id. */
const FOR_JOBS = 'jobs'
export const MOST_ENDPOINTS = 20

const Secret = z.object({ secret: z.string(), since: z.number() })
const Stored = z.object({
  url: z.string(),
  events: z.array(z.enum(WEBHOOK_EVENTS)).nullable(),
  enabled: z.boolean(),
  /** Newest first, two at most. */
  secrets: z.array(Secret),
  createdAt: z.number(),
})
type Stored = z.infer<typeof Stored>

/** An endpoint that a tenant has set up itself. */
export interface TenantHook {
  readonly id: string
  readonly url: string
  /** Null: all that happens to its jobs and batches. */
  readonly events: readonly TenantEventType[] | null
  readonly enabled: boolean
  readonly createdAt: Instant
}

/** Where tenants want to be told of their jobs and batches, and the secrets that sign it. */
export class TenantHooks {
  readonly #redis: Redis
  readonly #now: () => Instant

  constructor(redis: Redis, now: () => Instant) {
    this.#redis = redis
    this.#now = now
  }

  /** Null where the tenant has as many as it may. The secret is shown once, here. */
  async create(
    tenant: string,
    wish: { url: string; events: TenantHook['events'] },
  ): Promise<{ hook: TenantHook; secret: string } | null> {
    const now = this.#now()
    const id = newId('whe', now)
    const secret = newSecret()
    const events = wish.events === null ? null : [...wish.events]
    const stored = { url: wish.url, events, enabled: true, secrets: [{ secret, since: now }], createdAt: now }
    await this.#write(tenant, id, stored)
    // Counted with it, so that of many at once none slips in between the counting and the writing of another.
    if ((await this.list(tenant)).length > MOST_ENDPOINTS) {
      await this.remove(tenant, id)
      return null
    }
    return { hook: hookFrom(id, stored), secret }
  }

  async list(tenant: string): Promise<TenantHook[]> {
    const all = await ask(this.#redis.hgetall(hooksKey(tenant)))
    return Object.entries(all)
      .filter(([id]) => id !== FOR_JOBS)
      .map(([id, json]) => hookFrom(id, Stored.parse(JSON.parse(json))))
      .sort((a, b) => (a.id < b.id ? 1 : -1))
  }

  async change(
    tenant: string,
    id: string,
    wish: { url?: string | undefined; events?: TenantHook['events'] | undefined; enabled?: boolean | undefined },
  ): Promise<TenantHook | null> {
    const stored = await this.#read(tenant, id)
    if (stored === null) return null
    const { url = stored.url, enabled = stored.enabled } = wish
    const events = wish.events === undefined ? stored.events : wish.events === null ? null : [...wish.events]
    const changed = { ...stored, url, enabled, events }
    await this.#write(tenant, id, changed)
    return hookFrom(id, changed)
  }

  async remove(tenant: string, id: string): Promise<boolean> {
    return isId('whe', id) && (await ask(this.#redis.hdel(hooksKey(tenant), id))) === 1
  }

  /** A new secret, shown once; the one before signs on for a day. `id`: null for the one that signs for jobs' own URLs. */
  async rotate(tenant: string, id: string | null): Promise<string | null> {
    const now = this.#now()
    const stored = id === null ? await this.#forJobs(tenant) : await this.#read(tenant, id)
    if (stored === null) return null
    const secret = newSecret()
    const secrets = [{ secret, since: now as number }, ...stored.secrets].slice(0, 2)
    await this.#write(tenant, id ?? FOR_JOBS, { ...stored, secrets })
    return secret
  }

  /** The secret that signs for the URLs which jobs name; made when it is first asked for. */
  async secretForJobs(tenant: string): Promise<string> {
    return (await this.#forJobs(tenant)).secrets[0]?.secret ?? ''
  }

  /** Everybody who wants to know of this; `jobUrl`: a URL of the job's own, which is remembered. Names for deliveries. */
  async wanting(tenant: string, type: TenantEventType, jobUrl: string | null): Promise<string[]> {
    const names = (await this.list(tenant))
      .filter(({ enabled, events }) => enabled && (events === null || events.includes(type)))
      .map(({ id }) => id)
    if (jobUrl === null) return names
    const name = createHash('sha256').update(`${tenant} ${jobUrl}`).digest('hex').slice(0, 16)
    await ask(this.#redis.set(jobUrlKey(tenant, name), jobUrl, 'PX', JOB_URL_KEPT_MS))
    return [...names, name]
  }

  /** Where a delivery goes now; null when nobody wants it any more. */
  async find(tenant: string, name: string): Promise<WebhookEndpoint | null> {
    if (isId('whe', name)) {
      const stored = await this.#read(tenant, name)
      return stored === null || !stored.enabled ? null : this.#endpoint(stored.url, stored)
    }
    const url = await ask(this.#redis.get(jobUrlKey(tenant, name)))
    return url === null ? null : this.#endpoint(url, await this.#forJobs(tenant))
  }

  #endpoint(url: string, { secrets }: Stored): WebhookEndpoint {
    const [newest, former] = secrets
    const bothSign = newest !== undefined && this.#now() < newest.since + BOTH_SIGN_MS
    const signing = [newest, bothSign ? former : undefined].flatMap((each) => each?.secret ?? [])
    return { url, secrets: signing, events: null }
  }

  async #forJobs(tenant: string): Promise<Stored> {
    const now = this.#now()
    const secrets = [{ secret: newSecret(), since: now as number }]
    const made: Stored = { url: '', events: null, enabled: true, secrets, createdAt: now }
    // Of two that ask for the first time one has made it.
    await ask(this.#redis.hsetnx(hooksKey(tenant), FOR_JOBS, JSON.stringify(made)))
    return (await this.#read(tenant, FOR_JOBS)) ?? made
  }

  async #read(tenant: string, id: string): Promise<Stored | null> {
    if (id !== FOR_JOBS && !isId('whe', id)) return null
    const json = await ask(this.#redis.hget(hooksKey(tenant), id))
    return json === null ? null : Stored.parse(JSON.parse(json))
  }

  async #write(tenant: string, id: string, stored: Stored): Promise<void> {
    await ask(this.#redis.hset(hooksKey(tenant), id, JSON.stringify(stored)))
  }
}

const ask = <T>(reply: Promise<T>) => fromStore(reply, 'webhooks cannot be read or changed at the moment')
const hooksKey = (tenant: string) => `${keys.tenant(tenant)}:hooks`
const jobUrlKey = (tenant: string, name: string) => `${keys.tenant(tenant)}:hook:${name}`
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`

const hookFrom = (id: string, { url, events, enabled, createdAt }: Stored): TenantHook => ({
  ...{ id, url, enabled },
  events: events as TenantHook['events'],
  createdAt: createdAt as Instant,
})
