import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { eventually } from './eventually.ts'

/** An SDK registered in this test file's own process, whose spans can be looked at once they have ended. */
export class Spans {
  readonly #exporter = new InMemorySpanExporter()

  constructor() {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    const spanProcessors = [new SimpleSpanProcessor(this.#exporter)]
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }))
  }

  get all(): ReadableSpan[] {
    return this.#exporter.getFinishedSpans()
  }

  in(traceId: string): ReadableSpan[] {
    return this.all.filter((span) => span.spanContext().traceId === traceId)
  }

  /** Resolves once a span of this name has ended in the trace, with all that have. */
  async once(traceId: string, name: string): Promise<ReadableSpan[]> {
    await eventually(() => {
      if (!this.in(traceId).some((span) => span.name === name)) throw new Error(`no span '${name}' yet`)
    }, 20_000)
    return this.in(traceId)
  }
}

/** A caller's own trace: ids, and the header that tells them. */
export function callersTrace(seed: string) {
  const traceId = seed.repeat(32).slice(0, 32)
  const spanId = seed.repeat(16).slice(0, 16)
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-01` } }
}

export const named = (spans: readonly ReadableSpan[], name: string): ReadableSpan[] =>
  spans.filter((span) => span.name === name)

export function one(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const [first, ...more] = named(spans, name)
  if (first === undefined || more.length > 0) {
    throw new Error(`${more.length + (first ? 1 : 0)} spans '${name}' among ${spans.map((span) => span.name)}`)
  }
  return first
}

export const idOf = (span: ReadableSpan): string => span.spanContext().spanId
export const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId
