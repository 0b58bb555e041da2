import type { Clock } from '../../clock.ts'
import type { EndReason } from '../../session/end-reason.ts'
import type { SessionState } from '../../session/state.ts'
import type { Timeline, TimelineEntry } from '../../wire/console.ts'
import type { ParleyServerEvent } from '../../wire/parley-events.ts'
import { child, count, type Loose, text } from '../lines/provider-events.ts'

/** Moments kept of one session, the newest: 11 kB when there are so many, under 1 kB where nobody speaks. */
export const MOST_MOMENTS = 100

/** Events that tell how a conversation goes. Deltas and audio are no moments, and whatever else a peer calls an event is its own text. */
const NAMES = [
  'error',
  'session.created',
  'session.updated',
  'session.update',
  'conversation.item.create',
  'conversation.item.delete',
  'conversation.item.deleted',
  'conversation.item.truncate',
  'conversation.item.truncated',
  'conversation.item.input_audio_transcription.completed',
  'conversation.item.input_audio_transcription.failed',
  'input_audio_buffer.clear',
  'input_audio_buffer.cleared',
  'input_audio_buffer.commit',
  'input_audio_buffer.committed',
  'input_audio_buffer.speech_started',
  'input_audio_buffer.speech_stopped',
  'input_audio_buffer.timeout_triggered',
  'output_audio_buffer.clear',
  'response.create',
  'response.cancel',
  'response.created',
  'response.done',
  'response.function_call_arguments.done',
] as const
/** By name to the same name: what is kept must not hold the frame that it was read from. */
const KNOWN: ReadonlyMap<string, string> = new Map(NAMES.map((name) => [name, name]))

/** Statuses and codes that are shown; others may be anybody's text. */
const WORDS: ReadonlyMap<string, string> = new Map(
  [
    'completed',
    'cancelled',
    'failed',
    'incomplete',
    'conversation_already_has_active_response',
    'input_audio_buffer_commit_empty',
    'response_cancel_not_active',
    'rate_limit_exceeded',
    'insufficient_quota',
    'session_expired',
    'server_error',
    'invalid_value',
    'invalid_event',
    'unknown_parameter',
    'missing_required_parameter',
    'item_truncate_invalid_item_id',
  ].map((word) => [word, word]),
)

/**
 * What has happened in a session, without content: names of events, words of a closed set, numbers. Written at events that
 * are parsed anyway, so that audio and deltas pay nothing for it.
 */
export class SessionTimeline {
  /** Responses that had to wait, or were refused. */
  throttled = 0
  readonly #ring: TimelineEntry[] = []
  readonly #clock: Clock
  /** Moments so far. */
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A caller's event, parsed. */
  caller(type: string): void {
    const name = KNOWN.get(type)
    if (name !== undefined) this.#add(this.#moment('caller', name, null))
  }

  /** A provider's event, parsed. */
  provider(type: string, event: Loose): void {
    const name = KNOWN.get(type)
    if (name === undefined) return
    const response = child(event, 'response')
    const word = text(response, 'status') ?? text(child(event, 'error'), 'code')
    const entry = this.#moment('provider', name, WORDS.get(word ?? '') ?? null)
    if (name !== 'response.done') return this.#add(entry)
    const usage = child(response, 'usage')
    this.#add({
      ...entry,
      input_tokens: count(usage, 'input_tokens'),
      output_tokens: count(usage, 'output_tokens'),
    })
  }

  /** What Parley tells the caller, or would if the caller had asked for such events. */
  parley(event: ParleyServerEvent): void {
    switch (event.type) {
      case 'parley.pong':
        return
      case 'parley.usage':
        return this.#add({
          ...this.#moment('parley', event.type, event.kind),
          input_tokens: event.input_tokens,
          output_tokens: event.output_tokens,
          cost_nano_usd: event.cost_nano_usd,
        })
      case 'parley.throttled':
        this.throttled++
        return this.#add(this.#moment('parley', event.type, `${event.action}: ${event.limit} of the ${event.account}`))
      case 'parley.budget_warning':
        return this.#add(
          this.#moment('parley', event.type, `${event.percent} % of the ${event.limit} of the ${event.account}`),
        )
      case 'parley.warning':
        return this.#add(this.#moment('parley', event.type, event.limit))
      case 'parley.session':
        return this.#add(this.#moment('parley', event.type, event.resumed ? 'resumed' : null))
      case 'parley.session_ended':
        return this.#add(this.#moment('parley', event.type, event.reason))
      default:
        return this.#add(this.#moment('parley', event.type, null))
    }
  }

  phase(phase: SessionState['phase']): void {
    this.#add(this.#moment('parley', `phase.${phase}`, null))
  }

  ended(reason: EndReason): void {
    this.#add(this.#moment('parley', 'phase.ended', reason))
  }

  view(): Timeline {
    const from = this.#count % MOST_MOMENTS
    const isFull = this.#ring.length === MOST_MOMENTS
    const entries = isFull ? [...this.#ring.slice(from), ...this.#ring.slice(0, from)] : [...this.#ring]
    return { entries, forgotten: this.#count - entries.length }
  }

  #add(entry: TimelineEntry): void {
    this.#ring[this.#count % MOST_MOMENTS] = entry
    this.#count++
  }

  #moment(from: TimelineEntry['from'], type: string, note: string | null): TimelineEntry {
    const at = Math.round(this.#clock.now())
    return { at, from, type, note, input_tokens: null, output_tokens: null, cost_nano_usd: null }
  }
}
