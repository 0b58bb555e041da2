import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Audit } from '../../audit/audit.ts'
import { FaultError } from '../../faults.ts'
import type { JobDesk } from '../../jobs/job-desk.ts'
import { orderJob } from '../../jobs/job-order.ts'
import { JobView, jobView } from '../../jobs/job-view.ts'
import { untilEnded } from '../../jobs/until-ended.ts'
import { isEnded, type Job } from '../../media/job.ts'
import { JobRequest, type JobType } from '../../media/job-request.ts'
import type { FileStore } from '../../store/files.ts'
import { traceparentOf } from '../../traces/traceparent.ts'
import { ms } from '../../units.ts'
import { type DryRunDeps, dryRun, JobPlanView } from './dry-run.ts'
import { JOB_EXAMPLES } from './examples.ts'
import type { GuardDeps, RoomDeps } from './guard.ts'
import { canonical, idempotencyOf } from './idempotency-key.ts'
import { type JobEventDeps, jobEvents } from './job-events.ts'
import { filterOf, JobQuery } from './job-query.ts'
import { type MoneyDeps, requireMoney } from './require-money.ts'
import { IdempotencyHeader, page, pageOf, problems } from './schemas.ts'
import { cancelAfter, preferredWait } from './waiting.ts'

export interface JobRouteDeps extends GuardDeps, JobEventDeps, DryRunDeps, MoneyDeps, RoomDeps {
  jobDesk: JobDesk
  files: FileStore
  audit: Audit
}

/** Types that call a provider. */
const BUYS: readonly JobType[] = ['audio.transcribe', 'image.describe']

const Id = z.object({ id: z.string().max(64) })
const answer = (description: string) => ({ description, content: { 'application/json': { schema: JobView } } })

const create = createRoute({
  method: 'post',
  path: '/v1/jobs',
  summary: 'Ask for work on a file',
  request: {
    headers: z.object({
      'idempotency-key': IdempotencyHeader,
      prefer: z.string().optional().openapi({ description: '`wait=20` holds the answer until the end, at most 60 s' }),
      'cancel-after': z.string().optional().openapi({ description: 'Time for all of it, such as `90s`' }),
    }),
    body: { content: { 'application/json': { schema: JobRequest, examples: JOB_EXAMPLES } }, required: true },
  },
  responses: {
    200: {
      description: 'It has ended within the wait that was asked for; or, with `dry_run`, what it would do and cost',
      content: { 'application/json': { schema: z.union([JobView, JobPlanView]) } },
    },
    202: answer('It waits, or runs'),
    ...problems(402, 409, 413, 415, 507),
  },
})
const list = createRoute({
  method: 'get',
  path: '/v1/jobs',
  summary: 'Jobs, newest first',
  request: { query: JobQuery },
  responses: {
    200: { description: 'One page', content: { 'application/json': { schema: pageOf(JobView) } } },
    ...problems(),
  },
})
const get = createRoute({
  method: 'get',
  path: '/v1/jobs/{id}',
  summary: 'Where a job stands',
  request: {
    params: Id,
    query: z.strictObject({
      wait_ms: z.coerce.number().int().min(0).max(30_000).default(0).openapi({ description: 'Answer at the end' }),
    }),
  },
  responses: { 200: answer('The job'), ...problems(404) },
})
const events = createRoute({
  method: 'get',
  path: '/v1/jobs/{id}/events',
  summary: 'What becomes of a job, as it happens',
  description:
    'Server-sent events `job.status`, `job.progress`, `job.segment` and `job.ended`, the last one. With `Last-Event-ID` those after it.',
  request: {
    params: Id,
    query: z.strictObject({ after: z.string().optional() }),
    headers: z.object({ 'last-event-id': z.string().optional() }),
  },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
    204: { description: 'Its end has been told already' },
    ...problems(404),
  },
})
const result = createRoute({
  method: 'get',
  path: '/v1/jobs/{id}/result',
  summary: 'What came of a job',
  request: { params: Id },
  responses: {
    200: { description: 'A small result', content: { 'application/json': { schema: z.unknown() } } },
    303: { description: 'A file: see `Location`' },
    ...problems(404, 409),
  },
})
const cancel = createRoute({
  method: 'post',
  path: '/v1/jobs/{id}/cancel',
  summary: 'Ask a job to end',
  request: { params: Id },
  responses: { 200: answer('It has ended'), 202: answer('It will'), ...problems(404) },
})
const retry = createRoute({
  method: 'post',
  path: '/v1/jobs/{id}/retry',
  summary: 'Try a failed job again',
  request: { params: Id },
  responses: { 202: answer('It waits again, under the same id'), ...problems(404, 409) },
})
const remove = createRoute({
  method: 'delete',
  path: '/v1/jobs/{id}',
  summary: 'Erase a job with its input, output and events',
  request: { params: Id },
  responses: { 204: { description: 'All of it is gone; what it cost stays on the bill' }, ...problems(404, 409) },
})

export function jobRoutes(app: OpenAPIHono, deps: JobRouteDeps): void {
  const { jobs, jobDesk, clock } = deps
  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const { principal } = c.var
    const context = { config: deps.config(), principal, now: clock.now(), batch: null, trace: traceparentOf() }
    const order = orderJob(body, { ...context, cancelAfter: cancelAfter(c) })
    if (body.dry_run) return c.json(await dryRun(order, deps, c.req.raw.signal), 200)
    const idempotency = idempotencyOf(c, `${c.req.header('cancel-after') ?? ''}\n${canonical(body)}`)
    const { type, job } = await jobDesk.create(order, idempotency, c.req.raw.signal, {
      admit: async () => {
        await deps.memory.requireRoom()
        if (BUYS.includes(order.type)) await requireMoney(deps, principal)
      },
    })
    if (type === 'replayed') c.header('Idempotent-Replayed', 'true')
    c.header('Location', `/v1/jobs/${job.id}`)
    const wait = preferredWait(c)
    if (wait > 0) c.header('Preference-Applied', `wait=${wait / 1_000}`)
    const now = wait > 0 ? ((await untilEnded(deps, job, wait, c.req.raw.signal)) ?? job) : job
    return c.json(await placed(deps, now), isEnded(now.status) ? 200 : 202)
  })
  app.openapi(list, async (c) => {
    const { jobs: found, hasMore } = await jobs.list(c.var.principal.tenant, filterOf(c.req.valid('query')))
    return c.json(
      page(
        found.map((job) => jobView(job)),
        hasMore,
      ),
      200,
    )
  })
  app.openapi(get, async (c) => {
    const job = await own(c, deps)
    const wait = c.req.valid('query').wait_ms
    const now = wait > 0 ? await untilEnded(deps, job, ms(wait), c.req.raw.signal) : job
    if (now === null) throw noJob()
    return c.json(await placed(deps, now), 200)
  })
  app.openapi(events, async (c) => (await jobEvents(c, deps, await own(c, deps))) as never)
  app.openapi(result, async (c) => {
    const job = await own(c, deps)
    if (!isEnded(job.status)) {
      throw new FaultError('wrong_state', 'The job has not ended yet.', { retryAfterMs: 1_000 })
    }
    if (job.status !== 'succeeded') throw new FaultError('wrong_state', `The job has no result: it is ${job.status}.`)
    if (job.result === null) throw new FaultError('not_found', 'The result is not kept any more.')
    if (job.result.kind === 'inline') return c.json(job.result.json as object, 200)
    if ((await deps.files.read(job.tenant, job.result.fileId)) === null) {
      throw new FaultError('not_found', 'The result is not kept any more.')
    }
    c.header('Location', `/v1/files/${job.result.fileId}/content`)
    return c.body(null, 303)
  })
  app.openapi(cancel, async (c) => {
    const job = await jobs.cancel(c.var.principal.tenant, c.req.valid('param').id)
    if (job === null) throw noJob()
    return c.json(jobView(job), isEnded(job.status) ? 200 : 202)
  })
  app.openapi(retry, async (c) => {
    await deps.memory.requireRoom()
    const job = await jobDesk.retry(c.var.principal.tenant, c.req.valid('param').id)
    if (job === null) throw noJob()
    return c.json(await placed(deps, job), 202)
  })
  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param')
    const { tenant, keyId } = c.var.principal
    if (!(await jobDesk.erase(tenant, id, c.req.raw.signal))) throw noJob()
    deps.audit.record({ kind: 'job.deleted', actor: `key:${keyId}`, tenant, subject: id })
    return c.body(null, 204)
  })
}

/** Another tenant's job is not there, as far as anybody can tell. */
async function own(c: Context, { jobs }: JobRouteDeps): Promise<Job> {
  const job = await jobs.read(c.get('principal').tenant, c.req.param('id') ?? '')
  if (job === null) throw noJob()
  return job
}

async function placed({ jobs }: JobRouteDeps, job: Job) {
  return jobView(job, job.status === 'queued' ? await jobs.place(job.tenant, job.id) : null)
}

const noJob = () => new FaultError('not_found', 'There is no such job.')
