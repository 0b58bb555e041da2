import { OpenAPIHono } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import { FaultError } from '../../faults.ts'
import { detailsOf, InvalidRequest } from '../../invalid-request.ts'
import type { Log } from '../../log.ts'
import { tooLarge } from '../../storage/measured.ts'
import { type BatchRouteDeps, batchRoutes } from './batches.ts'
import { type FileRouteDeps, fileRoutes } from './files.ts'
import { guard } from './guard.ts'
import { type JobRouteDeps, jobRoutes } from './jobs.ts'
import { answerProblem, problemOf } from './problem.ts'
import type { TusDeps } from './tus-store.ts'
import { uploadRoutes } from './uploads.ts'
import { type WebhookRouteDeps, webhookRoutes } from './webhook-endpoints.ts'
import { type MessageRouteDeps, messageRoutes } from './webhook-messages.ts'

export interface MediaRouteDeps
  extends FileRouteDeps,
    JobRouteDeps,
    BatchRouteDeps,
    WebhookRouteDeps,
    MessageRouteDeps,
    TusDeps {
  log: Log
}

const PARTS = [
  'files',
  'uploads',
  'jobs',
  'batches',
  'webhook_endpoints',
  'webhook_messages',
  'webhook_secret',
] as const
/** Room for the largest inline input in base64, and for options, bytes. */
const LARGEST_JSON = 384 * 1_024
const WHERE = { json: 'body', query: 'query', header: 'header', param: 'path' } as const

/** The batch door: files, uploads, jobs and batches. Failures leave it as RFC 9457 has them. */
export function mediaRoutes(app: OpenAPIHono, deps: MediaRouteDeps): void {
  const door = new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return
      throw new InvalidRequest(detailsOf(result.error.issues, WHERE[result.target as keyof typeof WHERE] ?? 'body'))
    },
  })
  door.onError((error, c) => {
    const problem = problemOf(error, c.req.path, c.get('requestId'))
    if (problem.code === 'internal') deps.log.error({ err: error }, 'request failed')
    return answerProblem(c, problem)
  })
  const letIn = { jobs: guard(deps), webhooks: guard(deps, 'webhooks') }
  for (const part of PARTS) door.use(`/v1/${part}/*`, letIn[part.startsWith('webhook') ? 'webhooks' : 'jobs'])
  for (const part of PARTS.filter((part) => part !== 'files' && part !== 'uploads')) {
    door.use(
      `/v1/${part}/*`,
      bodyLimit({
        maxSize: LARGEST_JSON,
        onError: () => {
          throw tooLarge(LARGEST_JSON)
        },
      }),
    )
  }
  fileRoutes(door, deps)
  uploadRoutes(door, deps)
  jobRoutes(door, deps)
  batchRoutes(door, deps)
  webhookRoutes(door, deps)
  messageRoutes(door, deps)
  closeRest(door)
  app.route('/', door)
}

/** Whatever is asked of these addresses beside their routes is refused in this door's own words. */
function closeRest(door: OpenAPIHono): void {
  const allowed = new Map<string, Set<string>>()
  for (const { method, path } of door.routes) {
    if (method === 'ALL') continue
    const methods = allowed.get(path) ?? new Set()
    allowed.set(path, methods.add(method).add(method === 'GET' ? 'HEAD' : method))
  }
  for (const [path, methods] of allowed) {
    door.all(path, (c) => {
      c.header('Allow', [...methods].join(', '))
      throw new FaultError('method_not_allowed', `Only ${[...methods].join(', ')} can be used here.`)
    })
  }
  for (const part of PARTS) {
    door.all(`/v1/${part}/*`, () => {
      throw new FaultError('not_found', 'There is nothing at this address.')
    })
  }
}
