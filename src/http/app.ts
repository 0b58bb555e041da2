import { randomUUID } from 'node:crypto'
import { OpenAPIHono } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import { FAULTS, type Fault, FaultError, publicCode, toFault } from '../faults.ts'
import type { Log } from '../log.ts'
import { documentOf } from './document-head.ts'
import { type HealthDeps, healthRoutes } from './health.ts'
import { liveDocument } from './live-document.ts'
import { nameSpan } from './trace-requests.ts'

declare module 'hono' {
  interface ContextVariableMap {
    /** Of every request; told in `X-Request-Id` and in every problem. */
    requestId: string
  }
}

export interface AppDeps extends HealthDeps {
  log: Log
}

/** Largest JSON body, bytes (reference: hardening, the edge). */
const LARGEST_BODY = 256 * 1_024
/** Routes that take media, each with a limit of its own. */
const OWN_LIMIT =
  /^(\/openai)?\/v1\/(files|uploads|jobs|batches|webhook_\w+|audio\/transcriptions|chat\/completions|responses)(\/|$)/

/** The HTTP door before its routes. Every failure leaves it in OpenAI's error shape, from the one table of faults. */
export function createApp(deps: AppDeps): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return
      const issue = result.error.issues[0]
      const param = issue?.path.join('.') ?? ''
      throw new FaultError('invalid_request', `Invalid '${param}': ${issue?.message ?? 'not understood'}`, { param })
    },
  })
  app.use(async (c, next) => {
    const id = `req_${randomUUID()}`
    c.set('requestId', id)
    await next()
    c.header('X-Request-Id', id)
  })
  app.use(nameSpan)
  const limit = bodyLimit({
    maxSize: LARGEST_BODY,
    onError: () => {
      throw new FaultError('message_too_big', `The body is larger than ${LARGEST_BODY} bytes.`)
    },
  })
  app.use((c, next) => (OWN_LIMIT.test(c.req.path) ? next() : limit(c, next)))
  healthRoutes(app, deps)
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', { type: 'http', scheme: 'bearer' })
  app.get('/openapi.json', (c) => c.json(documentOf(app)))
  const live = liveDocument()
  app.get('/asyncapi.json', (c) => c.json(live))
  app.notFound(() => {
    throw new FaultError('not_found', 'There is nothing at this address.')
  })
  app.onError((error, c) => {
    const fault = error instanceof FaultError ? error : asFault(error)
    if (fault.code === 'internal') deps.log.error({ err: error }, 'request failed')
    const { http, type } = FAULTS[fault.code] as Fault
    if (fault.retryAfterMs !== null) c.header('Retry-After', String(Math.ceil(fault.retryAfterMs / 1_000)))
    const body = { error: { message: fault.message, type, param: fault.param, code: publicCode(fault.code) } }
    return c.json(body, http as 400)
  })
  return app
}

/** What hono itself throws for a body that is no JSON, or does not say that it is, is the caller's mistake, not ours. */
function asFault(error: Error): FaultError {
  const status = (error as { status?: unknown }).status
  if (status === 415) return new FaultError('invalid_request', 'Send the body as application/json.')
  if (status === 400 || error instanceof SyntaxError)
    return new FaultError('invalid_request', 'The body is not valid JSON.')
  return toFault(error)
}
