import type { Instant, Ms } from '../units.ts'
import type { Job, JobEnd, JobError, JobResult, JobStatus, JobUsage, Progress, Saved } from './job.ts'
import type { JobType } from './job-request.ts'

/** One line of `GET /v1/jobs/{id}/events`. `id` grows by one with each event of a job. */
export interface JobEvent {
  readonly id: number
  readonly at: Instant
  readonly event: 'job.status' | 'job.progress' | 'job.segment' | 'job.ended'
  readonly data: unknown
}

/** What a repeated `POST` is known by. */
export interface Idempotency {
  /** SHA-256 of tenant, route and key. */
  readonly key: string
  /** SHA-256 of method, path and body. */
  readonly fingerprint: string
  readonly keep: Ms
}

export type Created =
  | { readonly type: 'created'; readonly job: Job }
  | { readonly type: 'replayed'; readonly job: Job }
  /** The same key with another body. */
  | { readonly type: 'mismatch' }
  /** The tenant has as many waiting jobs as it may have. */
  | { readonly type: 'queue_full'; readonly wait: Ms }
  /** Another process has its batch now, or nobody any more. */
  | { readonly type: 'lost' }

/** What a worker holds while a job is its own: without it nothing can be written (fencing). */
export interface JobHold {
  readonly job: Job
  /** New at every start; a worker that was thought dead can write nothing any more. */
  readonly token: string
}

export type StartAnswer =
  | { readonly type: 'started'; readonly hold: JobHold }
  /** The tenant has as many running jobs as it may have: come back after `wait`, in the same order. */
  | { readonly type: 'busy'; readonly wait: Ms }
  /** Ended, deleted, or scheduled for later: nothing to do. */
  | { readonly type: 'not_due' }
  /** Started too often without ending: it has been failed as poison. */
  | { readonly type: 'poisoned' }

export interface Place {
  /** Counted from 1 among the tenant's own. */
  readonly position: number
  /** Until it is begun, at the tenant's latest pace; null while that is unknown. */
  readonly eta: Ms | null
}

export interface JobOutcome {
  readonly status: Extract<JobEnd, 'succeeded' | 'failed' | 'canceled'>
  readonly error: JobError | null
  readonly result: JobResult | null
  readonly saved: Saved | null
  readonly usage: JobUsage | null
}

export interface JobFilter {
  readonly status?: JobStatus
  readonly type?: JobType
  readonly createdAfter?: Instant
  readonly createdBefore?: Instant
  readonly metadata?: Readonly<Record<string, string>>
  readonly batch?: string
  readonly after?: string
  readonly before?: string
  readonly limit: number
}

/**
 * The truth about jobs, shared by all doors and workers. Every method is one atomic script per tenant (`{t:<tenant>}`), in
 * Redis's own time, and may be called again after a lost reply. A change checks the state before it: nothing that has ended
 * ever changes again, and every end writes its webhook message into the outbox in the same script. Rejects with FaultError
 * `store_unavailable` when Redis is away. Another tenant's id is an id that never was.
 */
export interface JobStore {
  /**
   * Record, idempotency and outbox entry at once. `cost`: expected work, for the fair order. `id`, what was asked for and
   * `runAt` are taken from `job`; its other instants count from its `createdAt` and are put on Redis's clock. `batchHold`:
   * token of the hold on its batch, without which no job of a batch is made. `inputUntil`: until when it may need its file,
   * which it claims with being made.
   */
  create(
    job: Job,
    idempotency: Idempotency | null,
    cost: Ms,
    more?: { readonly batchHold?: string | undefined; readonly inputUntil?: Instant },
  ): Promise<Created>
  /** What `create` would answer to a request that has been made before, without making anything; null for a new one. */
  known(
    tenant: string,
    idempotency: Idempotency,
  ): Promise<Exclude<Created, { type: 'created' | 'queue_full' | 'lost' }> | null>
  read(tenant: string, id: string): Promise<Job | null>
  list(tenant: string, filter: JobFilter): Promise<{ jobs: Job[]; hasMore: boolean }>
  /** Where a waiting job stands; null for one that does not wait. */
  place(tenant: string, id: string): Promise<Place | null>
  /**
   * `queued → processing`, unless the tenant runs as many as it may. A slot is a lease of 15 s, renewed by `beat`. `dispatch`
   * says which of its runs the queue speaks of: an older one has nothing to do any more.
   */
  start(tenant: string, id: string, dispatch: number): Promise<StartAnswer>
  /** Renews the hold; false when it is lost. `cancel` says that the owner has asked for its end. */
  beat(hold: JobHold): Promise<{ held: boolean; cancel: boolean }>
  progress(hold: JobHold, progress: Progress): Promise<void>
  /** One of its parts is done, by whoever; the stage is `calling`. */
  partDone(hold: JobHold, index: number, total: number): Promise<void>
  /** A part of the result, told to whoever follows the job. */
  segment(hold: JobHold, data: unknown): Promise<void>
  /** Prepared, and now waiting for others to do its parts: gives the running slot back and keeps the hold's token. */
  handOver(hold: JobHold): Promise<void>
  /** Ends it; false when the hold is lost or the job has ended meanwhile: then the outcome is thrown away. */
  end(hold: JobHold, outcome: JobOutcome): Promise<boolean>
  /**
   * Back to `queued` after a failure that may pass, for at least `wait`; ended as `failed` where it has been tried
   * `maxAttempts` times, as `canceled` where that was asked for. Returns the status it has now, or `lost`.
   */
  postpone(hold: JobHold, error: JobError, wait: Ms): Promise<JobStatus | 'lost'>
  /** Asks for its end; idempotent. Null for an id that never was. */
  cancel(tenant: string, id: string): Promise<Job | null>
  /** A new attempt of a failed job. Null for an id that never was; throws FaultError `wrong_state` for others. */
  retry(tenant: string, id: string): Promise<Job | null>
  /** Removes the record, its events and its index entries, once its bytes are gone. */
  remove(tenant: string, id: string): Promise<void>
  /** Events after `after`, oldest first, at most 1,000; what is older than a day is gone. */
  events(tenant: string, id: string, after: number): Promise<JobEvent[]>
}
