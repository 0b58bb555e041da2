import type { Saving } from '../meter/savings.ts'
import type { Instant, Ms, NanoUsd } from '../units.ts'
import type { JobInput, JobOptions, JobType, WebhookWish } from './job-request.ts'

/** What a job's owner is told about where it stands. Readers must expect more to come. */
export const JOB_STATUSES = ['scheduled', 'queued', 'processing', 'succeeded', 'failed', 'canceled', 'expired'] as const
export type JobStatus = (typeof JOB_STATUSES)[number]
export type JobEnd = Extract<JobStatus, 'succeeded' | 'failed' | 'canceled' | 'expired'>

/** Why a job failed, as its owner reads it: no path, host name, content or provider's own body. */
export interface JobError {
  /** Stable snake_case; a `FaultCode`. */
  readonly code: string
  readonly message: string
  /** Whether the same job may do better later. */
  readonly retryable: boolean
}

export interface Progress {
  readonly stage: 'queued' | 'fetching' | 'preparing' | 'calling' | 'merging' | 'done'
  /** Steps of this stage: pieces, pictures, frames; `total` 0 while unknown. */
  readonly done: number
  readonly total: number
}

/** What was left out before anything was bought (M4). Null: does not apply to this job. */
export interface Saved {
  /** Sound in the input, and sound that was billed. */
  readonly inputMs: Ms | null
  readonly billedMs: Ms | null
  readonly bytesIn: number | null
  readonly bytesSent: number | null
  /** Tokens the pictures would have cost as they came, and did cost. */
  readonly tokensIn: number | null
  readonly tokensSent: number | null
  /** What the same would have cost unprepared, less what it did cost. */
  readonly money: NanoUsd
  readonly lines: readonly Saving[]
}

/** What was paid for, in all. */
export interface JobUsage {
  readonly calls: number
  readonly cost: NanoUsd
  readonly estimated: boolean
}

/** A small result stands in the record; a large one, or one that is media, is a file. */
export type JobResult =
  | { readonly kind: 'inline'; readonly json: unknown }
  /** `others`: files that are named in it, and are the job's too. */
  | { readonly kind: 'file'; readonly fileId: string; readonly mime: string; readonly others?: readonly string[] }

export interface Retention {
  /** How long the input and the output outlive the job's end, ms; 0 removes the input at the end. */
  readonly input: Ms
  readonly output: Ms
}

/** One media task. The record in Redis is the truth about it; the queue only says whose turn it is. */
export interface Job {
  /** `job_` and 26 letters: time-ordered, never digits only, never with a colon. */
  readonly id: string
  readonly tenant: string
  readonly user: string | null
  readonly keyId: string
  readonly type: JobType
  readonly status: JobStatus
  /** Counted from 1 once it has begun; a retry by its owner counts on. */
  readonly attempt: number
  readonly maxAttempts: number
  readonly cancelRequested: boolean
  readonly progress: Progress
  readonly error: JobError | null
  readonly result: JobResult | null
  readonly saved: Saved | null
  readonly usage: JobUsage | null
  readonly input: JobInput
  readonly options: JobOptions
  readonly metadata: Readonly<Record<string, string>>
  readonly webhook: WebhookWish | null
  readonly retention: Retention
  /** The most that all of its calls may cost; null for no more than the tenant's own limits. */
  readonly maxCost: NanoUsd | null
  readonly priority: 'standard' | 'low'
  /** The batch it belongs to, and its line's name there. */
  readonly batch: { readonly id: string; readonly customId: string } | null
  /** W3C `traceparent` of the request that made it; null where nobody traces. */
  readonly trace: string | null
  /** Grows with every change: receivers of webhooks drop older news. */
  readonly seq: number
  readonly createdAt: Instant
  readonly updatedAt: Instant
  readonly queuedAt: Instant | null
  readonly startedAt: Instant | null
  readonly endedAt: Instant | null
  readonly runAt: Instant | null
  /** Not begun by then: `expired`. */
  readonly expiresAt: Instant
  /** Not ended by then: canceled (`Cancel-After`). */
  readonly deadline: Instant | null
}

/** What every job may take at most, by kind; the caller's own `Cancel-After` may only lower it. */
export const LONGEST_JOB_MS = { audio: 2 * 3_600_000, image: 5 * 60_000, video: 2 * 3_600_000 } as const

export const isEnded = (status: JobStatus): status is JobEnd =>
  status === 'succeeded' || status === 'failed' || status === 'canceled' || status === 'expired'
