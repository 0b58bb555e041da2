import { z } from '@hono/zod-openapi'
import { JOB_STATUSES, type Job, type JobResult } from '../media/job.ts'
import { JOB_TYPES } from '../media/job-request.ts'
import type { Place } from '../media/job-store.ts'
import { iso, isoOrNull, Time, Whole } from './wire.ts'

export const Result = z.union([
  z.object({ type: z.literal('inline'), value: z.unknown() }),
  z.object({ type: z.literal('file'), file_id: z.string(), mime: z.string(), url: z.string() }),
])

const nullableWhole = Whole.nullable()
const nanos = Whole.openapi({ description: 'Billionths of a US dollar' })

export const JobView = z
  .object({
    id: z.string().openapi({ example: 'job_01k8xj3v5e7q9zt2m4n6p8r0sw' }),
    object: z.literal('job'),
    type: z.enum(JOB_TYPES),
    status: z.enum(JOB_STATUSES).openapi({ description: 'Expect more of them to come' }),
    position: nullableWhole.openapi({ description: 'Among your own waiting jobs, counted from 1' }),
    eta_ms: nullableWhole.openapi({ description: 'Until it begins, at your latest pace' }),
    attempt: Whole,
    max_attempts: Whole,
    cancel_requested: z.boolean(),
    progress: z.object({ stage: z.string(), done: Whole, total: Whole, percent: Whole }),
    error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
    result: Result.nullable(),
    saved: z
      .object({
        input_ms: z.number().nullable(),
        billed_ms: z.number().nullable(),
        bytes_in: nullableWhole,
        bytes_sent: nullableWhole,
        tokens_in: nullableWhole,
        tokens_sent: nullableWhole,
        cost_usd_nanos: nanos,
      })
      .nullable()
      .openapi({ description: 'What was not sent, and what that would have cost' }),
    usage: z.object({ calls: Whole, cost_usd_nanos: nanos, estimated: z.boolean() }).nullable(),
    input: z.object({ file_id: z.string().nullable(), url: z.string().nullable() }),
    options: z.record(z.string(), z.unknown()),
    user: z.string().nullable(),
    priority: z.enum(['standard', 'low']),
    batch_id: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    created_at: Time,
    updated_at: Time,
    queued_at: Time.nullable(),
    started_at: Time.nullable(),
    ended_at: Time.nullable(),
    run_at: Time.nullable(),
    expires_at: Time,
    deadline: Time.nullable(),
    urls: z.object({ self: z.string(), events: z.string(), result: z.string(), cancel: z.string() }),
  })
  .openapi('Job')

export function jobView(job: Job, place: Place | null = null): z.infer<typeof JobView> {
  const { progress, saved, usage, error, input } = job
  const self = `/v1/jobs/${job.id}`
  const percent = progress.total > 0 ? Math.min(100, Math.floor((100 * progress.done) / progress.total)) : 0
  return {
    id: job.id,
    object: 'job',
    type: job.type,
    status: job.status,
    position: place?.position ?? null,
    eta_ms: place?.eta ?? null,
    attempt: job.attempt,
    max_attempts: job.maxAttempts,
    cancel_requested: job.cancelRequested,
    progress: { ...progress, percent: job.status === 'succeeded' ? 100 : percent },
    error: error === null ? null : { code: error.code, message: error.message, retryable: error.retryable },
    result: resultView(job.result),
    saved:
      saved === null
        ? null
        : {
            ...{ input_ms: saved.inputMs, billed_ms: saved.billedMs },
            ...{ bytes_in: saved.bytesIn, bytes_sent: saved.bytesSent },
            ...{ tokens_in: saved.tokensIn, tokens_sent: saved.tokensSent },
            cost_usd_nanos: saved.money,
          },
    usage: usage === null ? null : { calls: usage.calls, cost_usd_nanos: usage.cost, estimated: usage.estimated },
    input: { file_id: input.file_id ?? null, url: input.url ?? null },
    options: { ...job.options },
    user: job.user,
    priority: job.priority,
    batch_id: job.batch?.id ?? null,
    metadata: job.metadata,
    created_at: iso(job.createdAt),
    updated_at: iso(job.updatedAt),
    queued_at: isoOrNull(job.queuedAt),
    started_at: isoOrNull(job.startedAt),
    ended_at: isoOrNull(job.endedAt),
    run_at: isoOrNull(job.runAt),
    expires_at: iso(job.expiresAt),
    deadline: isoOrNull(job.deadline),
    urls: { self, events: `${self}/events`, result: `${self}/result`, cancel: `${self}/cancel` },
  }
}

function resultView(result: JobResult | null): z.infer<typeof Result> | null {
  if (result === null) return null
  if (result.kind === 'inline') return { type: 'inline', value: result.json }
  return { type: 'file', file_id: result.fileId, mime: result.mime, url: `/v1/files/${result.fileId}/content` }
}
