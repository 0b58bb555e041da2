import { trace } from '@opentelemetry/api'
import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

/** Fields that must never reach a log, whatever object they come in: the second net behind choosing fields by hand. */
const REDACTED = [
  'apiKey',
  'authorization',
  'token',
  'secret',
  'password',
  'text',
  'audio',
  'transcript',
  'instructions',
]

/** By which a line is found beside the spans that it belongs to; nothing where nobody traces. */
function traceIds(): object {
  const span = trace.getActiveSpan()?.spanContext()
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId }
}

/** A structured logger: a fixed sentence and fields. Never speech, text, keys or tokens. */
export function createLogger(level: string, destination?: DestinationStream): Log {
  const options = {
    level,
    base: null,
    mixin: traceIds,
    redact: { paths: REDACTED.flatMap((name) => [name, `*.${name}`]), remove: true },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}
