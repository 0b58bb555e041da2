import type { JobLimits, MediaConfig } from '../../src/config/config.ts'
import { newId } from '../../src/media/ids.ts'
import type { Job } from '../../src/media/job.ts'
import { JobRequest } from '../../src/media/job-request.ts'
import { type Instant, later, ms } from '../../src/units.ts'

export const jobLimits: JobLimits = {
  running: 4,
  waiting: 10_000,
  weight: 1,
  storage: null,
  files: null,
  requestsPerMinute: null,
}

export const queueConfig: MediaConfig['queue'] = {
  jobs: 4,
  calls: 8,
  attempts: 3,
  mostStarts: 5,
  keepRecords: ms(7 * 86_400_000),
  keepEvents: ms(86_400_000),
}

/** A job as the door makes it, with what the test wants different. */
export function newJob(tenant: string, now: Instant, changes: Partial<Job> = {}): Job {
  const request = JobRequest.parse({ type: 'audio.transcribe', input: { data: 'AAAA' } })
  return {
    id: newId('job', now),
    tenant,
    user: null,
    keyId: 'k1234567',
    type: request.type,
    status: 'queued',
    attempt: 0,
    maxAttempts: queueConfig.attempts,
    cancelRequested: false,
    progress: { stage: 'queued', done: 0, total: 0 },
    error: null,
    result: null,
    saved: null,
    usage: null,
    input: request.input,
    options: request.options,
    metadata: {},
    webhook: null,
    retention: { input: ms(0), output: ms(request.retention.output_ms) },
    maxCost: null,
    priority: 'standard',
    batch: null,
    trace: null,
    seq: 0,
    createdAt: now,
    updatedAt: now,
    queuedAt: null,
    startedAt: null,
    endedAt: null,
    runAt: null,
    expiresAt: later(now, ms(86_400_000)),
    deadline: null,
    ...changes,
  }
}
