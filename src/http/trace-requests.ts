import type { IncomingMessage, ServerResponse } from 'node:http'
import { context, propagation, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { isTracing, tracer } from '../traces/tracer.ts'

/** Asked every few seconds by machines; nobody wants to read about it. */
const QUIET: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown

/** Every request as a span, in the caller's trace where it tells one, until its last byte is out. */
export function traceRequests(listen: Listener): Listener {
  if (!isTracing()) return listen
  return (request, response) => {
    if (QUIET.has(request.url ?? '')) return listen(request, response)
    const parent = propagation.extract(ROOT_CONTEXT, request.headers)
    const method = METHODS.has(request.method ?? '') ? (request.method as string) : '_OTHER'
    const attributes = { 'http.request.method': method, 'url.scheme': isTls(request) ? 'https' : 'http' }
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent)
    response.once('close', () => end(span, response))
    return context.with(trace.setSpan(parent, span), () => listen(request, response))
  }
}

function end(span: Span, response: ServerResponse): void {
  const { statusCode, writableFinished } = response
  span.setAttribute('http.response.status_code', statusCode)
  if (statusCode >= 500 || !writableFinished) {
    span.setAttribute('error.type', writableFinished ? String(statusCode) : 'aborted')
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

/** Names the span after the route. The path itself is not told: callers may have written anything into it. */
export const nameSpan: MiddlewareHandler = async (c, next) => {
  await next()
  const span = trace.getActiveSpan()
  if (span?.isRecording() !== true) return
  span.setAttribute('parley.request.id', c.get('requestId'))
  const route = matchedRoutes(c)
    .map(({ path }) => path)
    .findLast((path) => !path.includes('*'))
  if (route === undefined) return
  const template = route.replace(/:(\w+)/g, '{$1}')
  span.updateName(`${c.req.method} ${template}`)
  span.setAttribute('http.route', template)
}

const isTls = ({ socket }: IncomingMessage): boolean => 'encrypted' in socket
