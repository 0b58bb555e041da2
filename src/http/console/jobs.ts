import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Audit } from '../../audit/audit.ts'
import { tenantId } from '../../config/schema.ts'
import { FaultError } from '../../faults.ts'
import { JOB_STATUSES, type JobResult } from '../../media/job.ts'
import { JOB_TYPES } from '../../media/job-request.ts'
import type { JobStore } from '../../media/job-store.ts'
import type { AllJobs, ListedJob } from '../../store/jobs/all-jobs.ts'
import { JobPage, JobResultView, type JobRow } from '../../wire/console-jobs.ts'

export interface AllJobsRouteDeps {
  allJobs: AllJobs
  jobs: JobStore
  audit: Audit
}

const list = createRoute({
  method: 'get',
  path: '/v1/admin/jobs',
  summary: 'Jobs of all tenants, newest first',
  request: {
    query: z.object({
      tenant: tenantId.optional(),
      status: z.enum(JOB_STATUSES).optional(),
      type: z.enum(JOB_TYPES).optional(),
      after: z.string().max(64).default(''),
      limit: z.coerce.number().int().min(1).max(200).default(50),
    }),
  },
  responses: { 200: { description: 'One page', content: { 'application/json': { schema: JobPage } } } },
})
const result = createRoute({
  method: 'get',
  path: '/v1/admin/tenants/{tenant}/jobs/{id}/result',
  summary: 'What came of a job of a tenant',
  description:
    'This is content: the look is written into the audit log. A result that is a file is the tenant’s to read.',
  request: { params: z.object({ tenant: tenantId, id: z.string().max(64) }) },
  responses: { 200: { description: 'The result', content: { 'application/json': { schema: JobResultView } } } },
})

export function allJobsRoutes(app: OpenAPIHono, { allJobs, jobs, audit }: AllJobsRouteDeps): void {
  app.openapi(list, async (c) => {
    const { tenant, status, type, after, limit } = c.req.valid('query')
    const filter = { tenant: tenant ?? null, status: status ?? null, type: type ?? null, after, limit }
    const page = await allJobs.list(filter)
    c.header('Cache-Control', 'no-store')
    return c.json({ data: page.jobs.map(rowOf), next: page.next }, 200)
  })
  app.openapi(result, async (c) => {
    const { tenant, id } = c.req.valid('param')
    const job = await jobs.read(tenant, id)
    if (job === null) throw new FaultError('not_found', 'There is no such job.')
    audit.record({ kind: 'job.result_read', actor: 'operator', tenant, subject: id })
    c.header('Cache-Control', 'no-store')
    return c.json(resultView(job.result) as { type: 'none' }, 200)
  })
}

function rowOf(job: ListedJob): JobRow {
  const { progress, usage, saved } = job
  return {
    ...{ id: job.id, tenant: job.tenant, user: job.user, type: job.type, status: job.status },
    ...{ stage: progress.stage, done: progress.done, total: progress.total },
    ...{ attempt: job.attempt, max_attempts: job.maxAttempts, cancel_requested: job.cancelRequested },
    priority: job.priority,
    batch_id: job.batch?.id ?? null,
    error: job.error === null ? null : { code: job.error.code, message: job.error.message },
    calls: usage?.calls ?? null,
    cost_nano_usd: usage?.cost ?? null,
    estimated: usage?.estimated ?? false,
    saved_nano_usd: saved?.money ?? null,
    ...{ input_ms: saved?.inputMs ?? null, billed_ms: saved?.billedMs ?? null },
    ...{ tokens_in: saved?.tokensIn ?? null, tokens_sent: saved?.tokensSent ?? null },
    ...{ bytes_in: saved?.bytesIn ?? null, bytes_sent: saved?.bytesSent ?? null },
    ...{ created_at: job.createdAt, started_at: job.startedAt, ended_at: job.endedAt, run_at: job.runAt },
  }
}

function resultView(result: JobResult | null): JobResultView {
  if (result === null) return { type: 'none' }
  if (result.kind === 'inline') return { type: 'inline', value: result.json }
  return { type: 'file', file_id: result.fileId, mime: result.mime }
}
