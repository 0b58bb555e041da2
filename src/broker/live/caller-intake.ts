import type { SecretGrant } from '../../auth/principal.ts'
import { type Ceilings, checkResponseCreate, checkSessionUpdate } from '../../auth/session-fields.ts'
import { FaultError } from '../../faults.ts'
import { type AudioSpan, appendSpan } from '../../frames/audio-span.ts'
import { type ParsedClientEvent, parseClientEvent } from '../../frames/client-event.ts'
import type { Message } from '../../frames/peer.ts'
import type { SessionEvent } from '../../session/state.ts'
import { ParleyClientEvent } from '../../wire/parley-events.ts'
import { child, type Loose, text } from '../lines/provider-events.ts'
import type { SessionMoney } from '../money/session-money.ts'
import { errorEvent } from './dismissal.ts'

/** What the intake asks of the session it belongs to. */
export interface IntakePort {
  /** Passes it on as it came; its text must not be read any more. */
  toProvider(message: Message): void
  /** An event in the provider's vocabulary, to the caller. */
  toCaller(event: string): void
  /** A caller's `session.update`, within its ceilings: what to send in its place. Throws the fault to refuse it with. */
  sessionUpdate(event: Loose, message: Message): Message
  /** Null until a provider has been reached, which is before anything can be read. */
  money(): SessionMoney | null
  dispatch(event: SessionEvent): void
  /** Base64 of audio as it lay in its frame, for the broker's own detector. */
  heard(message: Buffer, audio: AudioSpan): void
  acknowledged(seq: number): void
  /** A caller's event that was understood, for the session's time line. */
  seen(type: string): void
  pinged(): void
}

/** Events that could not be understood before the connection is given up. */
const MOST_MISTAKES = 200

/**
 * Reads what a caller sends. Audio passes after a look at its frame's outline; every other event is parsed once, judged
 * against the plan's ceilings, and passed on byte for byte or refused with OpenAI's own `error` event.
 */
export class CallerIntake {
  readonly #port: IntakePort
  readonly #ceilings: Ceilings
  readonly #grant: SecretGrant | null
  #mistakes = 0
  /** Raw audio bytes received. */
  audioBytes = 0

  constructor(port: IntakePort, ceilings: Ceilings, grant: SecretGrant | null) {
    this.#port = port
    this.#ceilings = ceilings
    this.#grant = grant
  }

  message(message: Message): void {
    const { text } = message
    const append = appendSpan(text)
    if (append !== null) {
      this.audioBytes += append.audioBytes
      this.#port.heard(text, append)
      if (this.#port.money()?.audioSent(append.audioBytes, message) !== true) this.#port.toProvider(message)
      return
    }
    const event = parseClientEvent(text)
    if (event.ok) this.#understood(event, message)
    else this.#refuse(new FaultError('invalid_request', event.message), event.code, event.eventId)
  }

  binary(): void {
    this.#refuse(new FaultError('invalid_request', 'Binary messages are not supported.'), 'invalid_event', null)
  }

  #understood(event: Extract<ParsedClientEvent, { ok: true }>, message: Message): void {
    const { value, eventId } = event
    this.#port.seen(event.type)
    switch (event.type) {
      case 'session.update': {
        const verdict = checkSessionUpdate(value.session, this.#ceilings, this.#grant)
        if (!verdict.ok) return this.#refuseField(verdict.param, verdict.message, eventId)
        return this.#update(value, message, eventId)
      }
      case 'response.create': {
        const verdict = checkResponseCreate(value.response, this.#ceilings, this.#grant)
        if (!verdict.ok) return this.#refuseField(verdict.param, verdict.message, eventId)
        this.#port.dispatch({ type: 'caller_acted' })
        this.#port.dispatch({ type: 'response_requested' })
        if (this.#port.money()?.responseAsked(value, message) === true) return
        break
      }
      case 'response.cancel':
        this.#port.money()?.cancelled(value)
        break
      case 'input_audio_buffer.commit':
      case 'input_audio_buffer.clear':
        this.#port.money()?.bufferMarked()
        break
      case 'conversation.item.create': {
        const item = child(value, 'item')
        const callId = text(item, 'call_id')
        this.#port.money()?.itemCreated(value)
        if (text(item, 'type') === 'function_call_output' && callId !== null) {
          this.#port.dispatch({ type: 'tool_answered', callId })
        } else {
          this.#port.dispatch({ type: 'caller_acted' })
        }
        break
      }
      case 'conversation.item.truncate':
      case 'output_audio_buffer.clear':
        this.#port.dispatch({ type: 'playback_cut' })
        break
      default:
        if (event.type.startsWith('parley.')) return this.#own(value, eventId)
    }
    this.#port.toProvider(message)
  }

  #update(event: Loose, message: Message, eventId: string | null): void {
    try {
      this.#port.toProvider(this.#port.sessionUpdate(event, message))
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      // Wrong in a field, or for another reason at another time.
      this.#port.toCaller(errorEvent(error, eventId, error.param === null ? undefined : 'invalid_value'))
    }
  }

  #own(value: unknown, eventId: string | null): void {
    const event = ParleyClientEvent.safeParse(value)
    if (!event.success) {
      this.#refuse(new FaultError('invalid_request', 'Not an event that Parley knows.'), 'invalid_value', eventId)
    } else if (event.data.type === 'parley.ack') this.#port.acknowledged(event.data.seq)
    else this.#port.pinged()
  }

  #refuseField(param: string, message: string, eventId: string | null): void {
    this.#port.toCaller(errorEvent(new FaultError('forbidden', message, { param }), eventId, 'invalid_value'))
  }

  #refuse(fault: FaultError, code: string, eventId: string | null): void {
    this.#mistakes++
    if (this.#mistakes > MOST_MISTAKES) this.#port.dispatch({ type: 'end_requested', reason: 'protocol_misuse' })
    else this.#port.toCaller(errorEvent(fault, eventId, code))
  }
}
