import { type Context, context, type Span, SpanKind, trace } from '@opentelemetry/api'
import type { LedgerRecord } from '../meter/record.ts'
import { callAttributes, endWith, type Operation } from '../traces/gen-ai.ts'
import { noteFailure, tracer } from '../traces/tracer.ts'
import type { Subject } from './deal.ts'

/** One call to a provider as a span, from the moment its money is held until it is known what it came to. */
export class CallSpan {
  readonly #span: Span
  readonly #inside: Context

  constructor(operation: Operation, { payer, id, model, target }: Subject) {
    const place = { provider: target.provider, type: target.config.type, model: target.model }
    const whose = { 'parley.tenant': payer.tenant, 'parley.job.id': payer.job, 'parley.record.id': id }
    const attributes = { ...callAttributes(operation, model, place), ...whose }
    this.#span = tracer.startSpan(`${operation} ${model}`, { kind: SpanKind.CLIENT, attributes })
    this.#inside = trace.setSpan(context.active(), this.#span)
  }

  /** Does the call inside the span. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await context.with(this.#inside, call)
    } catch (error) {
      noteFailure(this.#span, error)
      throw error
    }
  }

  /** `record`: as it is booked; null where nothing was bought. */
  end(record: LedgerRecord | null): void {
    if (record === null) this.#span.end()
    else endWith(this.#span, record)
  }
}
