import { type Context, context, isSpanContextValid, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'

/** W3C Trace Context, version 00. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** What is going on, as a `traceparent` header; null where nobody traces. Baggage, which callers may fill, stays behind. */
export function traceparentOf(going: Context = context.active()): string | null {
  const span = trace.getSpanContext(going)
  if (span === undefined || !isSpanContextValid(span)) return null
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`
}

/** What is going on, as headers of a request that belongs to it; none where nobody traces. */
export function traceHeaders(): Record<string, string> {
  const traceparent = traceparentOf()
  return traceparent === null ? {} : { traceparent }
}

/** What was going on where the header was written; nothing for null and for what is no such header. */
export function contextOf(traceparent: string | null): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED
  const span = { traceId, spanId, traceFlags, isRemote: true }
  return isSpanContextValid(span) ? trace.setSpanContext(ROOT_CONTEXT, span) : ROOT_CONTEXT
}
