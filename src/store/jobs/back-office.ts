import type { Redis } from 'ioredis'
import type { JobLimits, MediaConfig } from '../../config/config.ts'
import type { WebhookWish } from '../../media/job-request.ts'
import type { JobHold } from '../../media/job-store.ts'
import { type Instant, type Ms, ms } from '../../units.ts'
import type { TenantEventType } from '../../webhooks/webhook.ts'
import { keys } from '../keys.ts'
import { type JobScripts, withJobScripts } from './job-scripts.ts'

/** Jobs of a tenant without a limit that are in the queue or running. */
const WINDOW = 64
/** A job that was sent and is unknown to the queue so long after is sent again, ms. */
const SENT_WITHIN_MS = 5_000
/** How long until a job that the queue knows is looked at again, ms. */
const LOOK_AGAIN_MS = 30_000
/** What a process has taken and not dealt with is everybody's again, ms. */
const TAKEN_FOR_MS = 30_000
/** What one call of a script does at most. */
const AT_ONCE = 100

/** A job on its way from the outbox to the queue. */
export interface Claimed {
  readonly id: string
  readonly dispatch: number
  /** Expected work. */
  readonly cost: Ms
  readonly priority: 'standard' | 'low'
  /** `traceparent` of the request that made it. */
  readonly trace: string | null
}

/** A job that the queue should know. */
export interface Missed {
  readonly where: 'sent' | 'handed'
  readonly id: string
  readonly dispatch: number
}

export type Waste = {
  readonly what: 'work' | 'input' | 'output' | 'record'
  readonly id: string
  readonly member: string
}

/** A change of status, of a job or the last one of a batch, on its way to webhooks: one message, however often it is read. */
export interface JobNews {
  readonly id: string
  readonly type: TenantEventType
  readonly at: Instant
  /** Its id, or that of the batch or file. */
  readonly job: string
  readonly seq: number
  readonly webhook: WebhookWish | null
  readonly metadata: Readonly<Record<string, string>>
  /** As it lies in the outbox. */
  readonly member: string
}

/** What became due by time alone. */
export interface Swept {
  readonly queued: number
  readonly expired: number
  readonly told: number
  readonly ended: number
  readonly orphans: number
  readonly hasMore: boolean
}

export interface BackOfficeOptions {
  readonly limits: (tenant: string) => JobLimits
  readonly queue: () => MediaConfig['queue']
  /** In place of Redis's own time, for tests in simulated time. */
  readonly now?: () => Instant
}

/** The back side of the job store, for workers: outbox, sweeps, what is to be deleted, what is to be told. */
export class BackOffice {
  readonly #redis: Redis & JobScripts
  readonly #options: BackOfficeOptions

  constructor(redis: Redis, options: BackOfficeOptions) {
    this.#redis = withJobScripts(redis)
    this.#options = options
  }

  /** Tenants that have ever had a job. */
  tenants(): Promise<string[]> {
    return this.#redis.smembers(keys.jobTenants)
  }

  /** Takes what may begin now out of the outbox. */
  async claim(tenant: string): Promise<Claimed[]> {
    const allowed = this.#options.limits(tenant).running ?? -1
    const found = await this.#redis.jobClaim(...this.#common(tenant), allowed, WINDOW, SENT_WITHIN_MS)
    return found.map(([id, dispatch, cost, priority, trace]) => ({
      id,
      dispatch: Number(dispatch),
      cost: ms(Number(cost)),
      priority: priority === 'low' ? 'low' : 'standard',
      trace: trace === '' ? null : trace,
    }))
  }

  async sweep(tenant: string): Promise<Swept> {
    const [queued, expired, told, ended, orphans, more] = await this.#redis.jobSweep(...this.#common(tenant), AT_ONCE)
    return { queued, expired, told, ended, orphans, hasMore: more === 1 }
  }

  /** Jobs that have been in the queue for a while. Who does not find them there says so by `resend`. */
  async stale(tenant: string): Promise<Missed[]> {
    const found = await this.#redis.jobStale(...this.#common(tenant), LOOK_AGAIN_MS, AT_ONCE)
    return found.map(([where, id, dispatch]) => ({ where, id, dispatch: Number(dispatch ?? 0) }))
  }

  /** False when the job has moved on meanwhile. */
  async resend(tenant: string, { id, dispatch }: Missed): Promise<boolean> {
    return (await this.#redis.jobResend(...this.#common(tenant), id, dispatch)) === 1
  }

  /** A worker that stops puts back what it holds; it counts as not tried. */
  async giveBack({ job, token }: JobHold): Promise<void> {
    await this.#redis.jobGiveBack(...this.#common(job.tenant), job.id, token)
  }

  /** What is to be deleted now. Who has done it says so by `done`; else it comes again. */
  async waste(tenant: string): Promise<Waste[]> {
    const members = await this.#redis.jobDue(...this.#common(tenant), 'waste', AT_ONCE, TAKEN_FOR_MS)
    return members.map((member) => {
      const [what, id] = member.split(':') as [Waste['what'], string]
      return { what, id, member }
    })
  }

  /** What is to be told now. Who has told it says so by `done`; else it comes again. */
  async news(tenant: string): Promise<JobNews[]> {
    const members = await this.#redis.jobDue(...this.#common(tenant), 'news', AT_ONCE, TAKEN_FOR_MS)
    return members.map((member) => ({ ...(JSON.parse(member) as Omit<JobNews, 'member'>), member }))
  }

  async done(tenant: string, index: 'waste' | 'news', members: readonly string[]): Promise<void> {
    if (members.length > 0) await this.#redis.zrem(`${keys.tenant(tenant)}:jobs:${index}`, ...members)
  }

  /** Whether it stands among what is to be deleted, now or later. */
  async isToBeDeleted(tenant: string, what: Waste['what'], id: string): Promise<boolean> {
    return (await this.#redis.zscore(`${keys.tenant(tenant)}:jobs:waste`, `${what}:${id}`)) !== null
  }

  /** Takes the result out of the record, and the events, which may tell parts of it. */
  async erase(tenant: string, id: string): Promise<void> {
    await this.#redis.jobErase(...this.#common(tenant), id)
  }

  /** How many jobs there are by where they stand. */
  async depth(tenant: string): Promise<{ waiting: number; scheduled: number; processing: number; news: number }> {
    const root = `${keys.tenant(tenant)}:jobs`
    const names = [`${root}:in:queued`, `${root}:in:scheduled`, `${root}:in:processing`, `${root}:news`]
    const [waiting = 0, scheduled = 0, processing = 0, news = 0] = await Promise.all(
      names.map((name) => this.#redis.zcard(name)),
    )
    return { waiting, scheduled, processing, news }
  }

  #common(tenant: string): [root: string, now: string, keepEvents: number, keepRecords: number] {
    const { keepEvents, keepRecords } = this.#options.queue()
    const now = this.#options.now?.()
    return [keys.tenant(tenant), now === undefined ? '' : String(Math.floor(now)), keepEvents, keepRecords]
  }
}
