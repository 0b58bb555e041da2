import { OpenAPIHono } from '@hono/zod-openapi'
import { FaultError } from '../../faults.ts'
import type { Log } from '../../log.ts'
import { type FileRouteDeps, fileRoutes } from './files.ts'
import { guard } from './guard.ts'
import { answerProblem, detailsOf, InvalidRequest, problemOf } from './problem.ts'

export interface MediaRouteDeps extends FileRouteDeps {
  log: Log
}

const PARTS = ['files'] as const

/** The batch door: files, uploads, jobs and batches. Failures leave it as RFC 9457 has them. */
export function mediaRoutes(app: OpenAPIHono, deps: MediaRouteDeps): void {
  const door = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw new InvalidRequest(detailsOf(result.error.issues, result.target))
    },
  })
  door.onError((error, c) => {
    const problem = problemOf(error, c.req.path, c.get('requestId'))
    if (problem.code === 'internal') deps.log.error({ err: error }, 'request failed')
    return answerProblem(c, problem)
  })
  const letIn = guard(deps)
  for (const part of PARTS) door.use(`/v1/${part}/*`, letIn)
  fileRoutes(door, deps)
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
