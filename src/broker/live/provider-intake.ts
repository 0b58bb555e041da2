import { deltaSpan, itemIdOf } from '../../frames/audio-span.ts'
import type { Message } from '../../frames/peer.ts'
import { sniffType } from '../../frames/sniff.ts'
import type { SessionEvent } from '../../session/state.ts'
import { type Instant, ms } from '../../units.ts'
import { child, count, type Loose, PARSED_FROM_PROVIDER, parseProviderEvent, text } from '../lines/provider-events.ts'
import type { AudioRates, SessionMoney } from '../money/session-money.ts'
import { DEFAULT_SESSION, type EffectiveSession, readSession } from './effective-session.ts'
import type { Journal } from './journal.ts'

/** What the intake asks of the session it belongs to. */
export interface ProviderPort {
  dispatch(event: SessionEvent): void
  /** When the message being read arrived. */
  heardAt(): Instant
  /** An event that was parsed, for the session's time line. */
  seen(type: string, event: Loose): void
  /** The provider's event as it came, to the caller. */
  forward(message: Message): void
  /** The session object has changed; `raw` is the provider's own form of it. */
  sessionChanged(session: EffectiveSession, raw: Loose): void
  /** A form of a session event with the broker's own cap in it; null where nothing differs. */
  dress(event: Loose): Buffer | null
  /** Null until the session's books are open. */
  money(): SessionMoney | null
  /** Usage of one response, as the provider counted it. */
  used(usage: Loose): void
}

/** Pieces of an answer that are text; counted, not read. */
const TEXT_DELTAS: ReadonlySet<string> = new Set([
  'response.output_text.delta',
  'response.output_audio_transcript.delta',
  'response.function_call_arguments.delta',
])
/** What such an event holds beside its text, bytes: ids and names. */
const DELTA_OVERHEAD = 200
/** Assistant items whose audio is counted, newest first kept. */
const MOST_ITEMS = 32

/**
 * Reads what the provider sends. Deltas pass after a look at their type; the few events that carry decisions are parsed,
 * and passed on byte for byte all the same.
 */
export class ProviderIntake {
  readonly #port: ProviderPort
  readonly #journal: Journal | null
  session: EffectiveSession = DEFAULT_SESSION
  /** Raw audio bytes received since `takeAudio` was last asked. */
  #audioBytes = 0
  /** When the first of them came: from then on they play. */
  #audioSince: Instant | null = null
  /** All raw audio bytes ever received. */
  audioBytes = 0
  /** Audio of each assistant item, bytes: what a truncation is measured against. */
  readonly #itemAudio = new Map<string, number>()

  constructor(port: ProviderPort, journal: Journal | null) {
    this.#port = port
    this.#journal = journal
  }

  get rates(): AudioRates {
    return { input: this.session.inputBytesPerSecond, output: this.session.outputBytesPerSecond }
  }

  /** Audio that has been passed on since the last call, as the event the session learns of it by; null for none. */
  takeAudio(): SessionEvent | null {
    const since = this.#audioSince
    if (since === null) return null
    const duration = ms((this.#audioBytes / this.session.outputBytesPerSecond) * 1_000)
    this.#audioBytes = 0
    this.#audioSince = null
    return { type: 'audio_sent', duration, since }
  }

  message(message: Message): void {
    const bytes = message.text
    const type = sniffType(bytes)
    if (type === 'response.output_audio.delta') {
      const length = deltaSpan(bytes)?.audioBytes ?? 0
      this.#audioSince ??= this.#port.heardAt()
      this.#audioBytes += length
      this.audioBytes += length
      this.#port.money()?.written(length, 0)
      if (this.#journal !== null) this.#countItem(itemIdOf(bytes), length)
      return this.#port.forward(message)
    }
    if (type !== null && TEXT_DELTAS.has(type)) {
      this.#port.money()?.written(0, Math.max(0, bytes.length - DELTA_OVERHEAD))
      return this.#port.forward(message)
    }
    if (type === 'input_audio_buffer.speech_started') {
      this.#port.dispatch({ type: 'caller_spoke' })
      if (this.session.turnDetection?.interruptsResponse === true) this.#port.dispatch({ type: 'playback_cut' })
    } else if (type === 'input_audio_buffer.speech_stopped') {
      this.#port.dispatch({ type: 'caller_fell_silent' })
    } else if (type === 'input_audio_buffer.timeout_triggered') {
      this.#port.dispatch({ type: 'provider_prompted_itself' })
    }
    const event = type !== null && PARSED_FROM_PROVIDER.has(type) ? parseProviderEvent(bytes) : null
    if (type === null || event === null) {
      const isKept = type !== null && this.#port.money()?.keepsBack(type) === true
      if (!isKept) this.#port.forward(message)
      return
    }
    this.#port.seen(type, event)
    this.#read(type, event)
    this.#pass(type, event, message)
    this.#afterForwarding(type, event)
  }

  #pass(type: string, event: Loose, message: Message): void {
    const passage = this.#port.money()?.hears(type, event, this.rates) ?? 'pass'
    if (passage === 'keep') return
    const shown = passage === 'pass' ? event : passage
    const isSession = type === 'session.created' || type === 'session.updated'
    const dressed = isSession ? this.#port.dress(shown) : null
    if (dressed === null && passage === 'pass') return this.#port.forward(message)
    this.#port.forward({ text: dressed ?? Buffer.from(JSON.stringify(shown)), frame: null })
  }

  /** Only the newest items can still be truncated, so only they are remembered. */
  #countItem(itemId: string | null, length: number): void {
    if (itemId === null) return
    const before = this.#itemAudio.get(itemId)
    if (before === undefined && this.#itemAudio.size >= MOST_ITEMS) {
      for (const oldest of this.#itemAudio.keys()) {
        this.#itemAudio.delete(oldest)
        break
      }
    }
    this.#itemAudio.set(itemId, (before ?? 0) + length)
  }

  /** What a session event of the provider says about itself; also for one the caller never sees. */
  learn(event: Loose): void {
    const raw = child(event, 'session')
    if (raw === null) return
    this.session = readSession(raw)
    this.#port.sessionChanged(this.session, raw)
  }

  #read(type: string, event: Loose): void {
    switch (type) {
      case 'session.created':
      case 'session.updated':
        return this.learn(event)
      case 'conversation.item.added':
      case 'conversation.item.created':
      case 'conversation.item.done':
        return this.#journal?.saw(event.item, event.previous_item_id)
      case 'response.output_item.done':
        return this.#journal?.saw(event.item)
      case 'conversation.item.deleted':
        return this.#journal?.deleted(event.item_id)
      case 'conversation.item.truncated': {
        const id = text(event, 'item_id') ?? ''
        const said = ((this.#itemAudio.get(id) ?? 0) / this.session.outputBytesPerSecond) * 1_000
        return this.#journal?.truncated(id, count(event, 'audio_end_ms'), said)
      }
      case 'input_audio_buffer.committed': {
        const itemId = text(event, 'item_id')
        if (this.session.transcribesInput && itemId !== null) {
          this.#port.dispatch({ type: 'transcription_owed', itemId })
        }
        if (this.session.turnDetection?.createsResponse === true) this.#port.dispatch({ type: 'response_requested' })
        return
      }
      case 'response.created': {
        const id = text(child(event, 'response'), 'id')
        if (id !== null) this.#port.dispatch({ type: 'response_started', id })
        return
      }
      case 'response.function_call_arguments.done': {
        const callId = text(event, 'call_id')
        if (callId !== null) this.#port.dispatch({ type: 'tool_called', callId })
        return
      }
      case 'error':
        if (text(child(event, 'error'), 'code') === 'conversation_already_has_active_response') {
          this.#port.dispatch({ type: 'response_refused' })
        }
        return
      case 'conversation.item.input_audio_transcription.completed':
        this.#journal?.transcribed(event.item_id, event.transcript)
        return
      case 'response.done': {
        const usage = child(child(event, 'response'), 'usage')
        if (usage !== null) this.#port.used(usage)
        return
      }
      default:
        return
    }
  }

  /** What may end the session, and must therefore come after the event that brought it about has been passed on. */
  #afterForwarding(type: string, event: Loose): void {
    if (type === 'response.done') {
      const id = text(child(event, 'response'), 'id')
      if (id !== null) this.#port.dispatch({ type: 'response_ended', id })
    } else if (type.startsWith('conversation.item.input_audio_transcription.')) {
      const itemId = text(event, 'item_id')
      if (itemId !== null) this.#port.dispatch({ type: 'transcription_settled', itemId })
    }
  }
}
