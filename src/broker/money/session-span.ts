import { type Context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { ProviderConfig } from '../../config/config.ts'
import type { LedgerRecord } from '../../meter/record.ts'
import type { EndReason } from '../../session/end-reason.ts'
import type { SessionHead, SessionUsage } from '../../store/session-records.ts'
import { callAttributes, endWith, type Operation } from '../../traces/gen-ai.ts'
import { noteFailure, tracer } from '../../traces/tracer.ts'
import type { Bought } from './till.ts'

/** Ends that somebody should look into. */
const FAILURES: ReadonlySet<EndReason> = new Set([
  'upstream_unavailable',
  'upstream_lost',
  'store_unavailable',
  'node_lost',
  'internal',
])
/** Spans of one session that are open at once; what begins beyond that is booked and not traced. */
const MOST_OPEN = 64

/**
 * One session as a span, and what it buys as spans in it. Told when something begins and when it is booked, never of a frame.
 */
export class SessionSpan {
  /** Inside the session. */
  readonly inside: Context
  readonly #span: Span
  readonly #id: string
  readonly #model: string
  /** Responses and transcriptions under way, by the provider's id. */
  readonly #open = new Map<string, Span>()
  #bought: (Bought & { type: ProviderConfig['type'] | undefined }) | null = null

  /** `parent`: what the caller was doing when it came, or where the session was before. */
  constructor(head: SessionHead, isResumed: boolean, parent: Context) {
    this.#id = head.id
    this.#model = head.model
    const attributes = {
      'gen_ai.conversation.id': head.id,
      'gen_ai.request.model': head.model,
      'parley.tenant': head.tenant,
      'parley.plan': head.plan,
      'parley.session.kind': head.kind,
      'parley.session.is_resumed': isResumed,
    }
    this.#span = tracer.startSpan(`realtime session ${head.model}`, { kind: SpanKind.SERVER, attributes }, parent)
    this.inside = trace.setSpan(parent, this.#span)
  }

  /** A provider has been reached. */
  reached(bought: Bought, type: ProviderConfig['type'] | undefined): void {
    this.#bought = { ...bought, type }
    this.#span.setAttributes({ 'gen_ai.response.model': bought.model, 'parley.provider': bought.provider })
  }

  /** Something that is paid for has begun. `id`: the provider's own; `model`: where it is another than the session's. */
  began(operation: Operation, id: string, model: string = this.#model): void {
    if (this.#bought === null || this.#open.size >= MOST_OPEN || !this.#span.isRecording()) return
    const attributes = { ...callAttributes(operation, model, this.#bought), 'gen_ai.conversation.id': this.#id }
    this.#open.get(id)?.end()
    this.#open.set(id, tracer.startSpan(`${operation} ${model}`, { kind: SpanKind.CLIENT, attributes }, this.inside))
  }

  /** It is over, and this is what is booked for it. */
  booked(record: LedgerRecord): void {
    const span = this.#open.get(record.providerId)
    if (span === undefined) return
    this.#open.delete(record.providerId)
    endWith(span, record)
  }

  /** Nothing will be booked for it. */
  gaveUp(id: string): void {
    this.#open.get(id)?.setStatus({ code: SpanStatusCode.ERROR }).end()
    this.#open.delete(id)
  }

  /** The session could not begin. */
  failed(error: unknown): void {
    noteFailure(this.#span, error)
    this.#span.end()
  }

  ended(reason: EndReason, usage: SessionUsage): void {
    for (const id of this.#open.keys()) this.gaveUp(id)
    this.#span.setAttributes({
      'parley.session.end_reason': reason,
      'parley.session.responses': usage.responses,
      'gen_ai.usage.input_tokens': usage.input_tokens,
      'gen_ai.usage.output_tokens': usage.output_tokens,
      'parley.cost.nano_usd': usage.cost_nano_usd,
    })
    if (FAILURES.has(reason)) this.#span.setAttribute('error.type', reason).setStatus({ code: SpanStatusCode.ERROR })
    this.#span.end()
  }
}
