import {
  type Job,
  type JobError,
  type JobResult,
  type JobUsage,
  LONGEST_JOB_MS,
  type Progress,
  type Saved,
} from '../../media/job.ts'
import type { JobInput, JobOptions, WebhookWish } from '../../media/job-request.ts'
import { type Instant, instant, ms, nanoUsd } from '../../units.ts'
import type { Flat } from './job-scripts.ts'

/** What never changes about a job and no script looks at. */
type Head = Pick<Job, 'tenant' | 'user' | 'keyId' | 'options' | 'maxCost' | 'maxAttempts' | 'batch'>

/** The fields that are fixed when a job is made, names and values in turn. `cost`: expected work, ms. */
export function fixedFields(job: Job, costMs: number): Flat {
  const { tenant, user, keyId, options, maxCost, maxAttempts, batch } = job
  const head: Head = { tenant, user, keyId, options, maxCost, maxAttempts, batch }
  const kind = job.type.slice(0, job.type.indexOf('.')) as keyof typeof LONGEST_JOB_MS
  return Object.entries({
    id: job.id,
    head: JSON.stringify(head),
    // Apart from the head, because a list is filtered by them.
    type: job.type,
    metadata: JSON.stringify(job.metadata),
    // And this with every message to webhooks.
    webhook: job.webhook === null ? '' : JSON.stringify(job.webhook),
    // Apart, because it goes into the queue.
    trace: job.trace ?? '',
    // Apart, because it may be long.
    input: JSON.stringify(job.input),
    priority: job.priority,
    cost: String(Math.max(1, Math.ceil(costMs))),
    longest: String(LONGEST_JOB_MS[kind]),
    keepInput: String(job.retention.input),
    keepOutput: String(job.retention.output),
  }).flat()
}

/** A job from its record. */
export function jobFrom(flat: Flat): Job {
  const raw: Record<string, string> = {}
  for (let i = 0; i < flat.length; i += 2) raw[flat[i] as string] = flat[i + 1] as string
  const head = JSON.parse(raw.head ?? '') as Head
  return {
    id: raw.id ?? '',
    tenant: head.tenant,
    user: head.user,
    keyId: head.keyId,
    type: raw.type as Job['type'],
    status: raw.status as Job['status'],
    attempt: Number(raw.attempt),
    maxAttempts: head.maxAttempts,
    cancelRequested: raw.cancel === '1',
    progress: JSON.parse(raw.progress ?? '') as Progress,
    error: optional<JobError>(raw.error),
    result: optional<JobResult>(raw.result),
    saved: optional<Saved>(raw.saved),
    usage: optional<JobUsage>(raw.usage),
    input: JSON.parse(raw.input ?? '') as JobInput,
    options: head.options as JobOptions,
    metadata: JSON.parse(raw.metadata ?? '') as Record<string, string>,
    webhook: optional<WebhookWish>(raw.webhook),
    retention: { input: ms(Number(raw.keepInput)), output: ms(Number(raw.keepOutput)) },
    maxCost: head.maxCost === null ? null : nanoUsd(head.maxCost),
    priority: raw.priority as Job['priority'],
    batch: head.batch,
    trace: raw.trace === undefined || raw.trace === '' ? null : raw.trace,
    seq: Number(raw.seq),
    createdAt: instant(Number(raw.createdAt)),
    updatedAt: instant(Number(raw.updatedAt)),
    queuedAt: when(raw.queuedAt),
    startedAt: when(raw.startedAt),
    endedAt: when(raw.endedAt),
    runAt: when(raw.runAt),
    expiresAt: instant(Number(raw.expiresAt)),
    deadline: when(raw.deadline),
  }
}

const optional = <T>(text: string | undefined): T | null =>
  text === undefined || text === '' ? null : (JSON.parse(text) as T)

const when = (text: string | undefined): Instant | null =>
  text === undefined || text === '' ? null : instant(Number(text))
