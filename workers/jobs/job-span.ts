import { type Attributes, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Job, JobStatus, JobUsage } from '../../src/media/job.ts'
import { contextOf } from '../../src/traces/traceparent.ts'
import { tracer } from '../../src/traces/tracer.ts'
import { between, type Instant } from '../../src/units.ts'

/** What a job came to. */
export interface Ending {
  readonly status: JobStatus
  readonly usage: JobUsage | null
  /** Code of what went wrong. */
  readonly error: string | null
}

/** Says of the run that is going on which job it is for; `part` of those that it was cut into. */
export function noteRun(job: Job, part: number | null = null): void {
  trace.getActiveSpan()?.setAttributes({ ...about(job), ...(part === null ? {} : { 'parley.job.part': part }) })
}

/**
 * The job as a whole, from its making to its end, in the trace of the request that made it. Written at the end, because no
 * process sees all of it: runs, parts and calls stand beside it.
 */
export function tellJob(job: Job, { status, usage, error }: Ending, now: Instant): void {
  const startTime = Math.min(job.createdAt, now)
  const span = tracer.startSpan(`job ${job.type}`, { attributes: about(job), startTime }, contextOf(job.trace))
  span.setAttribute('parley.job.status', status)
  if (job.startedAt !== null) {
    span.setAttribute('parley.job.waited_ms', Math.max(0, Math.round(between(job.createdAt, job.startedAt))))
  }
  if (usage !== null) {
    span.setAttributes({
      'parley.job.calls': usage.calls,
      'parley.cost.nano_usd': usage.cost,
      'parley.cost.estimated': usage.estimated,
    })
  }
  if (error !== null) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR })
  span.end(now)
}

const about = ({ id, type, tenant, attempt, batch }: Job): Attributes => ({
  'parley.job.id': id,
  'parley.job.type': type,
  'parley.job.attempt': attempt,
  'parley.tenant': tenant,
  ...(batch === null ? {} : { 'parley.batch.id': batch.id }),
})
