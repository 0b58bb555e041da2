import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { BATCH_STATUSES, type Batch } from '../../batches/batch.ts'
import { FaultError } from '../../faults.ts'
import type { FileDesk } from '../../files/file-desk.ts'
import { invalid } from '../../invalid-request.ts'
import { Whole } from '../../jobs/wire.ts'
import { newId } from '../../media/ids.ts'
import type { BatchStore } from '../../store/batches.ts'
import type { FileStore } from '../../store/files.ts'
import { later, ms } from '../../units.ts'
import { BATCH_EXAMPLES } from './examples.ts'
import type { GuardDeps, RoomDeps } from './guard.ts'
import { canonical, idempotencyOf } from './idempotency-key.ts'
import { IdempotencyHeader, PageQuery, page, pageOf, problems } from './schemas.ts'

export interface BatchRouteDeps extends GuardDeps, RoomDeps {
  batches: BatchStore
  files: FileStore
  desk: FileDesk
}

const HOUR = 3_600_000
const DAY_SECONDS = 86_400
/** A batch is long and dear: its answer is given again for three days. */
const ANSWERS_KEPT = ms(72 * HOUR)
/** Work on a batch that has come to its window's end: its last jobs end, and its results are written. */
const GRACE = ms(24 * HOUR)

/** OpenAI's request. */
const BatchRequest = z
  .strictObject({
    input_file_id: z.string().max(64),
    endpoint: z.literal('/v1/jobs'),
    completion_window: z
      .string()
      .regex(/^([1-9]|[1-9]\d|1[0-5]\d|16[0-8])h$/, 'expected hours up to 168h, such as 24h')
      .openapi({ example: '24h' }),
    metadata: z
      .record(z.string().min(1).max(64), z.string().max(512))
      .refine((pairs) => Object.keys(pairs).length <= 16, 'at most 16 pairs')
      .nullable()
      .optional(),
    output_expires_after: z
      .strictObject({
        anchor: z.literal('created_at'),
        seconds: z
          .int()
          .min(3_600)
          .max(30 * DAY_SECONDS),
      })
      .default({ anchor: 'created_at', seconds: 7 * DAY_SECONDS }),
  })
  .openapi('BatchRequest')

const seconds = Whole.nullable().openapi({ description: 'Unix seconds' })
const BatchView = z
  .object({
    id: z.string(),
    object: z.literal('batch'),
    endpoint: z.string(),
    errors: z
      .object({
        object: z.literal('list'),
        data: z.array(
          z.object({
            code: z.string(),
            message: z.string(),
            param: z.string().nullable(),
            line: Whole.nullable(),
          }),
        ),
      })
      .nullable(),
    input_file_id: z.string(),
    completion_window: z.string(),
    status: z.enum(BATCH_STATUSES),
    output_file_id: z.string().nullable(),
    error_file_id: z.string().nullable(),
    created_at: Whole,
    in_progress_at: seconds,
    expires_at: seconds,
    finalizing_at: seconds,
    completed_at: seconds,
    failed_at: seconds,
    expired_at: seconds,
    cancelling_at: seconds,
    cancelled_at: seconds,
    request_counts: z.object({ total: Whole, completed: Whole, failed: Whole }),
    metadata: z.record(z.string(), z.string()),
  })
  .openapi('Batch')

const Id = z.object({ id: z.string().max(64) })
const answer = (description: string) => ({ description, content: { 'application/json': { schema: BatchView } } })

const create = createRoute({
  method: 'post',
  path: '/v1/batches',
  summary: 'Ask for many jobs at once',
  description:
    'One line of JSON for each: `{custom_id, method: "POST", url: "/v1/jobs", body}`, in a file of purpose `batch`. All lines are looked at before anything begins.',
  request: {
    headers: z.object({ 'idempotency-key': IdempotencyHeader }),
    body: { content: { 'application/json': { schema: BatchRequest, examples: BATCH_EXAMPLES } }, required: true },
  },
  responses: { 200: answer('The batch, which is being looked at'), ...problems(409) },
})
const list = createRoute({
  method: 'get',
  path: '/v1/batches',
  summary: 'Batches, newest first',
  request: { query: PageQuery },
  responses: {
    200: { description: 'One page', content: { 'application/json': { schema: pageOf(BatchView) } } },
    ...problems(),
  },
})
const get = createRoute({
  method: 'get',
  path: '/v1/batches/{id}',
  summary: 'Where a batch stands',
  request: { params: Id },
  responses: { 200: answer('The batch'), ...problems(404) },
})
const cancel = createRoute({
  method: 'post',
  path: '/v1/batches/{id}/cancel',
  summary: 'Ask a batch to end; lines that are done keep their results',
  request: { params: Id },
  responses: { 200: answer('The batch'), ...problems(404) },
})

export function batchRoutes(app: OpenAPIHono, deps: BatchRouteDeps): void {
  const { batches, files, desk, clock } = deps
  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const { tenant, keyId } = c.var.principal
    const idempotency = idempotencyOf(c, canonical(body), ANSWERS_KEPT)
    if (idempotency === null) {
      throw new FaultError('invalid_request', 'A batch needs an Idempotency-Key.', { param: 'Idempotency-Key' })
    }
    const now = clock.now()
    const expiresAt = later(now, ms(Number.parseInt(body.completion_window, 10) * HOUR))
    const id = newId('batch', now)
    const input = body.input_file_id
    const known = await batches.known(tenant, idempotency)
    if (known === null) {
      await deps.memory.requireRoom()
      const file = await files.read(tenant, input)
      if (file === null) throw invalid('/input_file_id', 'not_found', 'There is no such file.')
      if (file.purpose !== 'batch')
        throw invalid('/input_file_id', 'wrong_purpose', 'The file is not of purpose batch.')
      await files.claim(tenant, input, id, later(expiresAt, GRACE))
    }
    const head = {
      ...{ id, tenant, keyId, inputFileId: input, window: body.completion_window, expiresAt },
      metadata: body.metadata ?? {},
      keepOutput: ms(body.output_expires_after.seconds * 1_000),
    }
    const created = known ?? (await batches.create(head, idempotency))
    if (created.type !== 'created') await desk.release(tenant, input, id, null)
    if (created.type === 'mismatch') {
      throw new FaultError('idempotency_mismatch', 'This Idempotency-Key belongs to another request.')
    }
    if (created.type === 'replayed') c.header('Idempotent-Replayed', 'true')
    c.header('Location', `/v1/batches/${created.batch.id}`)
    return c.json(batchView(created.batch), 200)
  })
  app.openapi(list, async (c) => {
    const { batches: found, hasMore } = await batches.list(c.var.principal.tenant, c.req.valid('query'))
    return c.json(page(found.map(batchView), hasMore), 200)
  })
  app.openapi(get, async (c) => {
    const batch = await batches.read(c.var.principal.tenant, c.req.valid('param').id)
    if (batch === null) throw noBatch()
    return c.json(batchView(batch), 200)
  })
  app.openapi(cancel, async (c) => {
    const batch = await batches.cancel(c.var.principal.tenant, c.req.valid('param').id)
    if (batch === null) throw noBatch()
    return c.json(batchView(batch), 200)
  })
}

const noBatch = () => new FaultError('not_found', 'There is no such batch.')

function batchView(batch: Batch): z.infer<typeof BatchView> {
  const { times, errors } = batch
  const at = (instant: number | undefined) => (instant === undefined ? null : Math.floor(instant / 1_000))
  return {
    ...{ id: batch.id, object: 'batch', endpoint: '/v1/jobs' },
    errors:
      errors.length === 0
        ? null
        : { object: 'list', data: errors.map(({ code, message, param, line }) => ({ code, message, param, line })) },
    input_file_id: batch.inputFileId,
    completion_window: batch.window,
    status: batch.status,
    output_file_id: batch.outputFileId,
    error_file_id: batch.errorFileId,
    created_at: Math.floor(batch.createdAt / 1_000),
    in_progress_at: at(times.in_progress),
    expires_at: at(batch.expiresAt),
    finalizing_at: at(times.finalizing),
    completed_at: at(times.completed),
    failed_at: at(times.failed),
    expired_at: at(times.expired),
    cancelling_at: at(times.cancelling),
    cancelled_at: at(times.cancelled),
    request_counts: {
      total: batch.total,
      completed: Math.max(0, batch.succeeded),
      failed: Math.max(0, batch.unsuccessful) + batch.refused,
    },
    metadata: { ...batch.metadata },
  }
}
