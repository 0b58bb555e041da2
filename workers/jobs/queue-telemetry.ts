import { ROOT_CONTEXT } from '@opentelemetry/api'
import { SpanKind, type Telemetry } from 'bullmq'
import { type BullMQOTelSpan, BullMQOtel } from 'bullmq-otel'
import { isTracing } from '../../src/traces/tracer.ts'

type Span = ReturnType<Telemetry['tracer']['startSpan']>

/** Stands for what a queue does with itself, such as looking whether there is work: told, it would drown the rest. */
const UNTOLD: Span = {
  setSpanOnContext: (context) => context,
  setAttribute: () => undefined,
  setAttributes: () => undefined,
  addEvent: () => undefined,
  recordException: () => undefined,
  end: () => undefined,
}

/** Attributes of BullMQ's that say something; reasons of failures and stacks are not among them. */
const TOLD: ReadonlySet<string> = new Set([
  'bullmq.queue.name',
  'bullmq.queue.operation',
  'bullmq.job.id',
  'bullmq.job.name',
  'bullmq.job.attempts.made',
  'bullmq.worker.id',
])

/** A span of BullMQ's without words that may quote what somebody sent. */
function reticent(span: BullMQOTelSpan): Span {
  return {
    setSpanOnContext: (context) => span.setSpanOnContext(context),
    setAttribute: (key, value) => {
      if (TOLD.has(key)) span.setAttribute(key, value as string)
    },
    setAttributes: (all) => {
      span.setAttributes(Object.fromEntries(Object.entries(all).filter(([key]) => TOLD.has(key))) as never)
    },
    addEvent: () => undefined,
    recordException: (error) => {
      span.setAttribute('error.type', (error as Error)?.name ?? '_OTHER')
    },
    end: () => span.end(),
  }
}

/**
 * Spans of what goes into the queues and comes out of them; the trace travels with it. Nothing where nobody traces: then
 * nothing is written into the queue either.
 */
export function queueTelemetry(): { telemetry?: Telemetry } {
  if (!isTracing()) return {}
  const { tracer, contextManager } = new BullMQOtel({ tracerName: 'parley' })
  return {
    telemetry: {
      tracer: {
        startSpan: (name, options, context) =>
          options?.kind === SpanKind.INTERNAL
            ? UNTOLD
            : reticent(tracer.startSpan(name, options, context) as BullMQOTelSpan),
      },
      contextManager: {
        with: (context, work) => contextManager.with(context, work),
        active: () => contextManager.active(),
        // So that loops that never end do not belong to whatever began them.
        root: () => ROOT_CONTEXT,
        getMetadata: (context) => contextManager.getMetadata(context),
        fromMetadata: (context, metadata) => contextManager.fromMetadata(context, metadata),
      },
    },
  }
}
