import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { JobLimits, MediaConfig } from '../../config/config.ts'
import { FaultError } from '../../faults.ts'
import { isId } from '../../media/ids.ts'
import type { Job, JobError, JobStatus, Progress } from '../../media/job.ts'
import type {
  Created,
  Idempotency,
  JobEvent,
  JobFilter,
  JobHold,
  JobOutcome,
  JobStore,
  Place,
  StartAnswer,
} from '../../media/job-store.ts'
import { type Instant, type Ms, ms } from '../../units.ts'
import { keys } from '../keys.ts'
import { fromStore } from '../limit-scripts.ts'
import { fixedFields, jobFrom } from './job-record.ts'
import { type JobScripts, withJobScripts } from './job-scripts.ts'

/** A running slot whose holder is silent for so long is free again, ms; its holder beats every third of it. */
export const SLOT_LEASE_MS = 15_000
/** Followers hear of progress at most this often, ms. */
const PROGRESS_GAP_MS = 250
/** A busy tenant's job comes back after a wait between these, ms. */
const BUSY_WAIT_MS = [250, 1_000] as const
/** Records that one call of the script looks at, and how many calls one list makes at most. */
const LOOKS = 500
const MOST_CALLS = 20
/** How long a client of a full queue is told to wait, ms. */
const FULL_WAIT_MS = [1_000, 60_000] as const

const AWAY = 'jobs cannot be read or changed at the moment; try again soon'

export interface RedisJobStoreOptions {
  /** What the tenant's plan allows. */
  readonly limits: (tenant: string) => JobLimits
  readonly queue: () => MediaConfig['queue']
  /** In place of Redis's own time, for tests in simulated time. */
  readonly now?: () => Instant
}

/** The truth about jobs, in Redis. Everything it decides, it decides in `scripts/jobs/*.lua`. */
export class RedisJobStore implements JobStore {
  readonly #redis: Redis & JobScripts
  readonly #options: RedisJobStoreOptions
  readonly #indexed = new Set<string>()

  /** `redis`: one that fails soon for doors, one that waits for workers. It stays the caller's to close. */
  constructor(redis: Redis, options: RedisJobStoreOptions) {
    this.#redis = withJobScripts(redis)
    this.#options = options
  }

  async create(
    job: Job,
    idempotency: Idempotency | null,
    cost: Ms,
    { batchHold = '', inputUntil = job.expiresAt }: { batchHold?: string | undefined; inputUntil?: Instant } = {},
  ): Promise<Created> {
    await this.#index(job.tenant)
    const allowed = this.#options.limits(job.tenant).waiting ?? -1
    const idem = [idempotency?.key ?? '', idempotency?.fingerprint ?? '', idempotency?.keep ?? 0]
    const times = [job.createdAt, job.runAt ?? '', job.expiresAt, job.deadline ?? ''].map(whole)
    const args = [job.id, ...idem, allowed, ...times, job.batch?.id ?? '', batchHold]
    args.push(job.input.file_id ?? '', whole(inputUntil), ...fixedFields(job, cost))
    const reply = await this.#ask(this.#redis.jobCreate(...this.#common(job.tenant), ...args))
    switch (reply[0]) {
      case 'created':
      case 'replayed':
        return { type: reply[0], job: jobFrom(reply[1]) }
      case 'mismatch':
      case 'lost':
        return { type: reply[0] }
      case 'queue_full': {
        const [, begun, withinMs] = reply
        const wait = begun > 0 ? withinMs / begun : FULL_WAIT_MS[1] / 10
        return { type: 'queue_full', wait: ms(Math.ceil(Math.min(FULL_WAIT_MS[1], Math.max(FULL_WAIT_MS[0], wait)))) }
      }
    }
  }

  async known(tenant: string, { key, fingerprint }: Idempotency) {
    const line = await this.#ask(this.#redis.get(`${keys.tenant(tenant)}:idem:${key}`))
    if (line === null) return null
    const [print, first = ''] = line.split(' ')
    if (print !== fingerprint) return { type: 'mismatch' as const }
    const job = await this.read(tenant, first)
    return job === null ? null : { type: 'replayed' as const, job }
  }

  async read(tenant: string, id: string): Promise<Job | null> {
    if (!isId('job', id)) return null
    const raw = await this.#ask(this.#redis.hgetall(`${keys.tenant(tenant)}:job:${id}`))
    return raw.head === undefined ? null : jobFrom(Object.entries(raw).flat())
  }

  async list(tenant: string, filter: JobFilter): Promise<{ jobs: Job[]; hasMore: boolean }> {
    const goesUp = filter.after === undefined && filter.before !== undefined
    const wanted = filter.limit + 1
    const bounds = [whole(filter.createdAfter ?? ''), whole(filter.createdBefore ?? ''), filter.batch ?? '']
    const metadata = filter.metadata === undefined ? '' : JSON.stringify(filter.metadata)
    const found: Job[] = []
    let cursor: string | null = (goesUp ? filter.before : filter.after) ?? ''
    for (let calls = 0; cursor !== null && found.length < wanted && calls < MOST_CALLS; calls++) {
      const args: (string | number)[] = [goesUp ? 0 : 1, cursor, wanted - found.length, LOOKS]
      args.push(filter.status ?? '', filter.type ?? '', ...bounds, metadata)
      const [next, ...records]: [string | null, ...string[][]] = await this.#ask(
        this.#redis.jobList(...this.#common(tenant), ...args),
      )
      found.push(...records.map((flat) => jobFrom(flat)))
      cursor = next
    }
    const jobs = found.slice(0, filter.limit)
    if (goesUp) jobs.reverse()
    return { jobs, hasMore: found.length > filter.limit || cursor !== null }
  }

  async place(tenant: string, id: string): Promise<Place | null> {
    const reply = await this.#ask(this.#redis.jobPlace(...this.#common(tenant), id))
    if (reply === null) return null
    const [position, begun, withinMs] = reply
    return { position, eta: begun < 2 ? null : ms(Math.round((position * withinMs) / begun)) }
  }

  async start(tenant: string, id: string, dispatch: number): Promise<StartAnswer> {
    if (!isId('job', id)) return { type: 'not_due' }
    const token = randomUUID()
    const { mostStarts } = this.#options.queue()
    const allowed = this.#options.limits(tenant).running ?? -1
    const args = [id, dispatch, token, allowed, SLOT_LEASE_MS, mostStarts]
    const reply = await this.#ask(this.#redis.jobStart(...this.#common(tenant), ...args))
    switch (reply[0]) {
      case 'started':
        return { type: 'started', hold: { job: jobFrom(reply[1]), token } }
      case 'busy': {
        const [least, most] = BUSY_WAIT_MS
        return { type: 'busy', wait: ms(Math.round(least + Math.random() * (most - least))) }
      }
      case 'not_due':
      case 'poisoned':
        return { type: reply[0] }
    }
  }

  async beat({ job, token }: JobHold): Promise<{ held: boolean; cancel: boolean }> {
    const [held, cancel] = await this.#ask(
      this.#redis.jobBeat(...this.#common(job.tenant), job.id, token, SLOT_LEASE_MS),
    )
    return { held: held === 1, cancel: cancel === 1 }
  }

  async progress({ job, token }: JobHold, { stage, done, total }: Progress): Promise<void> {
    const args = [job.id, token, stage, Math.floor(done), Math.floor(total), PROGRESS_GAP_MS, '']
    await this.#ask(this.#redis.jobProgress(...this.#common(job.tenant), ...args))
  }

  async partDone({ job, token }: JobHold, index: number, total: number): Promise<void> {
    const args = [job.id, token, 'calling', 0, total, PROGRESS_GAP_MS, index]
    await this.#ask(this.#redis.jobProgress(...this.#common(job.tenant), ...args))
  }

  async segment({ job, token }: JobHold, data: unknown): Promise<void> {
    await this.#ask(
      this.#redis.jobSegment(...this.#common(job.tenant), job.id, token, randomUUID(), JSON.stringify(data)),
    )
  }

  async handOver({ job, token }: JobHold): Promise<void> {
    await this.#ask(this.#redis.jobHandOver(...this.#common(job.tenant), job.id, token))
  }

  async end({ job, token }: JobHold, outcome: JobOutcome): Promise<boolean> {
    const { status, error, result, saved, usage } = outcome
    const parts = [error, result, saved, usage].map((part) => (part === null ? '' : JSON.stringify(part)))
    return (await this.#ask(this.#redis.jobEnd(...this.#common(job.tenant), job.id, token, status, ...parts))) === 1
  }

  async postpone({ job, token }: JobHold, error: JobError, wait: Ms): Promise<JobStatus | 'lost'> {
    const args = [job.id, token, JSON.stringify(error), Math.round(wait), job.maxAttempts]
    return (await this.#ask(this.#redis.jobPostpone(...this.#common(job.tenant), ...args))) as JobStatus | 'lost'
  }

  async cancel(tenant: string, id: string): Promise<Job | null> {
    if (!isId('job', id)) return null
    const reply = await this.#ask(this.#redis.jobCancel(...this.#common(tenant), id))
    return reply === null ? null : jobFrom(reply)
  }

  async retry(tenant: string, id: string): Promise<Job | null> {
    if (!isId('job', id)) return null
    const reply = await this.#ask(this.#redis.jobRetry(...this.#common(tenant), id, randomUUID()))
    if (reply[0] === 'none') return null
    if (reply[0] === 'wrong_state') throw new FaultError('wrong_state', 'only a job that has failed can be tried again')
    return jobFrom(reply[1])
  }

  async remove(tenant: string, id: string): Promise<void> {
    if (isId('job', id)) await this.#ask(this.#redis.jobRemove(...this.#common(tenant), id))
  }

  async events(tenant: string, id: string, after: number): Promise<JobEvent[]> {
    if (!isId('job', id)) return []
    const lines = await this.#ask(this.#redis.jobEvents(...this.#common(tenant), id, after))
    return lines.map((line) => JSON.parse(line) as JobEvent)
  }

  /** Before the tenant's first job, so that the sweeps find whatever it has. */
  async #index(tenant: string): Promise<void> {
    if (this.#indexed.has(tenant)) return
    await this.#ask(this.#redis.sadd(keys.jobTenants, tenant))
    this.#indexed.add(tenant)
  }

  #common(tenant: string): [root: string, now: string, keepEvents: number, keepRecords: number] {
    const { keepEvents, keepRecords } = this.#options.queue()
    return [keys.tenant(tenant), whole(this.#options.now?.() ?? ''), keepEvents, keepRecords]
  }

  #ask<T>(reply: Promise<T>): Promise<T> {
    return fromStore(reply, AWAY)
  }
}

/** Clocks count parts of a millisecond, records do not. */
const whole = (at: number | string): string => (typeof at === 'number' ? String(Math.floor(at)) : at)
