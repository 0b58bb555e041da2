import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { FaultError } from '../faults.ts'

/** Of this project. As long as nobody has registered an SDK, its spans are constants that do nothing. */
export const tracer = trace.getTracer('parley')

/** Whether somebody has registered an SDK. Asked where something is put together, not while it runs. */
export const isTracing = (): boolean => isSpanContextValid(tracer.startSpan('probe').spanContext())

export interface TracedOptions {
  readonly kind?: SpanKind
  readonly attributes?: Attributes
  /** Where it belongs; left out: to whatever is going on. */
  readonly parent?: Context
}

/** Does `work` inside a span of its own, which is what is going on meanwhile. */
export async function traced<T>(name: string, options: TracedOptions, work: (span: Span) => Promise<T>): Promise<T> {
  const { kind = SpanKind.INTERNAL, attributes = {}, parent = context.active() } = options
  const span = tracer.startSpan(name, { kind, attributes }, parent)
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span))
  } catch (error) {
    noteFailure(span, error)
    throw error
  } finally {
    span.end()
  }
}

/** By its code or class, never by its words: those may quote what somebody said or sent. */
export function noteFailure(span: Span, error: unknown): void {
  span.setAttribute('error.type', errorType(error))
  span.setStatus({ code: SpanStatusCode.ERROR })
}

function errorType(error: unknown): string {
  if (error instanceof FaultError) return error.code
  return error instanceof Error ? error.name : '_OTHER'
}
