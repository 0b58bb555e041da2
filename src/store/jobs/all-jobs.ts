import type { Redis } from 'ioredis'
import { idTime } from '../../media/ids.ts'
import { JOB_STATUSES, type Job, type JobStatus } from '../../media/job.ts'
import type { JobType } from '../../media/job-request.ts'
import type { JobsNow } from '../../wire/console.ts'
import { keys } from '../keys.ts'
import { fromStore } from '../limit-scripts.ts'
import { jobFrom } from './job-record.ts'
import { mergedIds } from './merged-ids.ts'

/** Tenants named beside the sums. */
const MOST_NAMED = 20
/** Records looked at for one page, where it wants one type only. */
const MOST_LOOKS = 2_000
/** Records read at once. */
const READ_AT_ONCE = 25

type Counts = Record<JobStatus, number>

/** What an operator looks for. */
export interface AllJobsFilter {
  readonly tenant: string | null
  readonly status: JobStatus | null
  readonly type: JobType | null
  /** Begin below this id; empty for the newest. */
  readonly after: string
  readonly limit: number
}

/** A job as a list has it: without its input and its result, which may be large. */
export type ListedJob = Omit<Job, 'input' | 'result'>

/**
 * Jobs of all tenants, for operators. Reads what each tenant's own scripts keep (scripts/jobs/prelude.lua), and changes
 * nothing. Rejects with FaultError `store_unavailable`.
 */
export class AllJobs {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Numbers by status, and who waits. */
  async now(): Promise<JobsNow> {
    const each = await Promise.all((await this.#tenants()).map((tenant) => this.#ofTenant(tenant)))
    const sum = (status: JobStatus) => each.reduce((total, { counts }) => total + counts[status], 0)
    const waits = each.flatMap(({ oldest }) => oldest ?? [])
    return {
      counts: Object.fromEntries(JOB_STATUSES.map((status) => [status, sum(status)])) as Counts,
      oldest_waiting_at: waits.length === 0 ? null : Math.min(...waits),
      tenants: each
        .map(({ tenant, counts }) => ({ tenant, waiting: counts.queued, running: counts.processing }))
        .filter(({ waiting, running }) => waiting + running > 0)
        .sort((a, b) => b.waiting + b.running - (a.waiting + a.running))
        .slice(0, MOST_NAMED),
    }
  }

  /** Newest first. `next`: where the page after begins; null on the last. */
  async list({
    tenant,
    status,
    type,
    after,
    limit,
  }: AllJobsFilter): Promise<{ jobs: ListedJob[]; next: string | null }> {
    const tenants = tenant === null ? await this.#tenants() : [tenant]
    const before = (name: string, id: string, most: number) =>
      this.#ask(this.#redis.zrevrangebylex(indexOf(name, status), id === '' ? '+' : `(${id}`, '-', 'LIMIT', 0, most))
    const ids = mergedIds(tenants, after, before)
    const jobs: ListedJob[] = []
    let looks = 0
    let last = after
    while (looks < MOST_LOOKS) {
      const some = []
      for (let i = 0; i < READ_AT_ONCE; i++) {
        const { value, done } = await ids.next()
        if (done === true) break
        some.push(value)
      }
      for (const job of await Promise.all(some.map((each) => this.#read(each.tenant, each.id)))) {
        if (job === null || (type !== null && job.type !== type)) continue
        if (jobs.length === limit) return { jobs, next: last }
        jobs.push(job)
        last = job.id
      }
      looks += some.length
      if (some.length < READ_AT_ONCE) return { jobs, next: null }
      if (jobs.length < limit) last = some.at(-1)?.id ?? last
    }
    return { jobs, next: last }
  }

  async #ofTenant(tenant: string) {
    const sizes = JOB_STATUSES.map((status) => this.#redis.zcard(indexOf(tenant, status)))
    const [counts, first] = await Promise.all([
      this.#ask(Promise.all(sizes)),
      this.#ask(this.#redis.zrange(indexOf(tenant, 'queued'), '0', '0')),
    ])
    return {
      tenant,
      counts: Object.fromEntries(JOB_STATUSES.map((status, i) => [status, counts[i] ?? 0])) as Counts,
      oldest: first[0] === undefined ? null : idTime('job', first[0]),
    }
  }

  async #read(tenant: string, id: string): Promise<ListedJob | null> {
    const values = await this.#ask(this.#redis.hmget(`${keys.tenant(tenant)}:job:${id}`, ...LISTED))
    if (values[0] === null || values[0] === undefined) return null
    const flat = LISTED.flatMap((name, i) => (values[i] == null ? [] : [name, values[i] as string]))
    return jobFrom([...flat, 'input', 'null', 'result', ''])
  }

  /** Tenants that have ever had a job. */
  #tenants(): Promise<string[]> {
    return this.#ask(this.#redis.smembers(keys.jobTenants))
  }

  #ask<T>(reply: Promise<T>): Promise<T> {
    return fromStore(reply, 'jobs cannot be looked up at the moment; try again soon')
  }
}

/** Ids by time, of one status or of all. */
function indexOf(tenant: string, status: JobStatus | null): string {
  const root = `${keys.tenant(tenant)}:jobs`
  return status === null ? root : `${root}:in:${status}`
}

/** Fields of a record but its input and result. */
const LISTED = [
  ...['head', 'id', 'type', 'status', 'attempt', 'cancel', 'progress', 'error', 'saved', 'usage', 'metadata'],
  ...['webhook', 'keepInput', 'keepOutput', 'priority', 'seq', 'createdAt', 'updatedAt', 'queuedAt', 'startedAt'],
  ...['endedAt', 'runAt', 'expiresAt', 'deadline'],
] as const
