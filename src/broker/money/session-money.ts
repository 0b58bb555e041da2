import { randomUUID } from 'node:crypto'
import type { Message } from '../../frames/peer.ts'
import type { Settled } from '../../limits/limit-store.ts'
import type { Room } from '../../limits/limits.ts'
import type { PriceRow } from '../../meter/price-row.ts'
import type { LedgerRecord } from '../../meter/record.ts'
import { sumTokens, tokensIn, tokensOut } from '../../meter/usage.ts'
import { between, type Instant, ms, type Tokens, tokens } from '../../units.ts'
import { isOwnEvent } from '../lines/own-event.ts'
import { child, count, type Loose, text, transcriptionModel } from '../lines/provider-events.ts'
import type { Purse, PursePort } from './purse.ts'
import type { SessionBooks } from './session-books.ts'
import type { TurnControl } from './turn-control.ts'

/** What becomes of a provider's event on its way to the caller: nothing changes, it is kept back, or another goes. */
export type Passage = 'pass' | 'keep' | Loose

export interface SessionMoneyParts {
  readonly books: SessionBooks
  readonly turns: TurnControl
  /** Null where nothing limits the session: it is metered, and nothing is ever held back. */
  readonly purse: Purse | null
  /** What a transcription model of the session's provider costs; null for one that has no price. */
  readonly transcriber: (model: string) => PriceRow | null
  /** The lowest limit of weighted tokens per minute, which the caller is told in the provider's place; null for none. */
  readonly tokensPerMinute: Tokens | null
  readonly port: Pick<PursePort, 'tell' | 'emit'>
}

/**
 * So much audio of the caller is gathered before it is reckoned with, ms: far less than what is held in advance for audio
 * (LOOK_AGAIN), and it makes a fifth of the work of pieces of 40 ms.
 */
const GATHERED = 200

/** Bytes of one second of raw audio, each way. */
export interface AudioRates {
  readonly input: number
  readonly output: number
}

/**
 * A session's events as money sees them. Every event that costs, or changes what the next response will cost, comes by
 * here; what it means is decided by the books (what was bought), the purse (what may be) and the turn control (by whom).
 */
export class SessionMoney {
  readonly books: SessionBooks
  readonly #turns: TurnControl
  readonly #purse: Purse | null
  readonly #transcriber: SessionMoneyParts['transcriber']
  readonly #tokensPerMinute: Tokens | null
  readonly #port: SessionMoneyParts['port']
  /** Audio has been sent that the provider may take a turn out of. */
  #mayTakeTurn = false
  #rates: AudioRates = { input: 48_000, output: 48_000 }
  /** Audio of the caller since the session began. */
  #heard = 0
  /** Raw bytes of it that are not reckoned with yet, for it comes in many small pieces, and how many to gather. */
  #uncounted = 0
  #gathered = gatheredOf(this.#rates)
  /** What answers have said since it was last reckoned with: raw bytes of audio, and bytes of text. */
  #saidAudio = 0
  #saidText = 0
  /** Where on that line the present speech began, and where the last ended, as the provider says. */
  #speechFrom: number | null = null
  #speechTo: number | null = null

  constructor({ books, turns, purse, transcriber, tokensPerMinute, port }: SessionMoneyParts) {
    this.books = books
    this.#turns = turns
    this.#purse = purse
    this.#transcriber = transcriber
    this.#tokensPerMinute = tokensPerMinute
    this.#port = port
  }

  /** A turn that the provider may be taking just now out of what it was sent; null where it has nothing to take one from. */
  get possibleTurn(): { isTranscribed: boolean } | null {
    return this.#mayTakeTurn ? { isTranscribed: this.books.meter.transcriber !== null } : null
  }

  /** Before the caller is let in; null when nothing is to be waited for. `session`: as `session.created` says. */
  open(session: Loose, rates: AudioRates): Promise<void> | null {
    this.#turns.updated({ type: 'session.created', session })
    this.#sessionIs(session, rates)
    return this.#purse?.open() ?? null
  }

  /** The end is decided: nothing is bought any more. What is under way is still booked. */
  stop(): void {
    this.#purse?.[Symbol.dispose]()
  }

  /** The session is over. `endsAt`: when it would have ended by itself, for one that was cut because nobody spoke. */
  close(now: Instant, endsAt: Instant | null): void {
    this.stop()
    this.#countSaid()
    this.books.close(endsAt === null ? null : ms(Math.max(0, Math.round(between(now, endsAt)))))
  }

  /** A record of this session is in the books for good. */
  settled(record: LedgerRecord, { held, room, level }: Settled): void {
    const { usage } = record
    this.#port.tell({
      type: 'parley.usage',
      kind: record.kind,
      id: record.providerId,
      input_tokens: tokensIn(usage),
      cached_tokens: sumTokens(usage.cached) + usage.cachedUnsplit,
      output_tokens: tokensOut(usage),
      cost_nano_usd: Math.max(0, record.cost),
      session_cost_nano_usd: this.books.spent,
      estimated: record.estimated,
    })
    this.#purse?.levelIs(level)
    if (this.#tokensPerMinute !== null && record.kind === 'response')
      this.#tellRate(this.#tokensPerMinute, held.tokens, room)
  }

  /** In OpenAI's shape, in the provider's place. What the session holds in advance is still its own to use. */
  #tellRate(limit: Tokens, held: Tokens, room: Room): void {
    const remaining = Math.min(limit, held + (room.tokens ?? limit))
    const reset_seconds = Math.round((60_000 * (limit - remaining)) / Math.max(1, limit)) / 1_000
    const rate_limits = [{ name: 'tokens', limit, remaining, reset_seconds }]
    this.#port.emit({ type: 'rate_limits.updated', event_id: `event_${randomUUID()}`, rate_limits })
  }

  // ---- the caller's events ----

  /** Raw bytes of audio that the caller sent; true when the message has been taken care of and must not be passed on. */
  audioSent(bytes: number, message: Message): boolean {
    this.#mayTakeTurn = true
    this.#uncounted += bytes
    if (this.#uncounted >= this.#gathered) this.#countAudio()
    return this.#purse?.keeps(message) === true
  }

  /** Before anything else is looked at: what was gathered counts. */
  #countAudio(): void {
    if (this.#uncounted === 0) return
    const length = ms((this.#uncounted / this.#rates.input) * 1_000)
    this.#uncounted = 0
    this.#heard += length
    this.books.audioCame(length)
    this.#purse?.audioCame(length)
  }

  /** The caller commits or clears the input buffer. */
  bufferMarked(): void {
    this.#countAudio()
    this.books.meter.bufferMarked()
  }

  itemCreated(event: Loose): void {
    this.#countAudio()
    const item = child(event, 'item')
    const parts = Array.isArray(item?.content) ? (item.content as Loose[]) : []
    let audio = 0
    let images = 0
    let bytes = 0
    for (const part of parts) {
      if (part?.type === 'input_image') images++
      else if (typeof part?.audio === 'string') audio += (part.audio.length * 3) / 4
      if (typeof part?.text === 'string') bytes += Buffer.byteLength(part.text)
    }
    for (const field of ['arguments', 'output', 'name']) bytes += Buffer.byteLength(text(item, field) ?? '')
    this.books.meter.itemCame({ bytes, audio: ms((audio / this.#rates.input) * 1_000), images })
    this.#purse?.look()
  }

  /** A caller's `session.update`: what to send in its place. */
  update(event: Loose, message: Message): Message {
    this.#countAudio()
    const changed = this.#turns.outgoing(event)
    this.#transcribersAsked()
    this.#purse?.look()
    return changed === null ? message : { text: Buffer.from(JSON.stringify(changed)), frame: null }
  }

  /** False while too many of the caller's updates are unanswered. */
  get takesUpdates(): boolean {
    return !this.#turns.isFull
  }

  /** The transcription model that an update asks for and that has no price; null where there is none. */
  unpriced(event: Loose): string | null {
    const model = transcriptionModel(child(event, 'session'))
    return model === null || this.#transcriber(model) !== null ? null : model
  }

  /** A caller's `response.create`; true when it has been taken care of and must not be passed on. */
  responseAsked(event: Loose, message: Message): boolean {
    this.#countAudio()
    this.#purse?.asked(event, message)
    return this.#purse !== null
  }

  /** The broker's own wish for a response; true when it will be taken care of. */
  ask(response: Loose): boolean {
    this.#countAudio()
    this.#purse?.ask(response)
    return this.#purse !== null
  }

  /** A response waits here for room; the provider has not been asked for it yet. */
  get isHolding(): boolean {
    return this.#purse?.isHolding === true
  }

  /** A caller's `response.cancel`: of a response that it names, or of whatever is to come. */
  cancelled(event: Loose): void {
    if (text(event, 'response_id') === null) this.#purse?.withdraw('all')
  }

  // ---- the provider's events ----

  /** The caller's limits are ours: what the provider says of its own does not concern it. */
  keepsBack(type: string): boolean {
    return this.#tokensPerMinute !== null && type === 'rate_limits.updated'
  }

  /** Audio or text of an answer has passed. */
  written(audioBytes: number, textBytes: number): void {
    this.#saidAudio += audioBytes
    this.#saidText += textBytes
  }

  /** Before anything else is looked at: what was gathered belongs to the answer that was under way. */
  #countSaid(): void {
    if (this.#saidAudio === 0 && this.#saidText === 0) return
    this.books.meter.written(ms((this.#saidAudio / this.#rates.output) * 1_000), this.#saidText)
    this.#saidAudio = 0
    this.#saidText = 0
  }

  hears(type: string, event: Loose, rates: AudioRates): Passage {
    this.#countAudio()
    this.#countSaid()
    switch (type) {
      case 'session.created':
      case 'session.updated': {
        const verdict = this.#turns.updated(event)
        this.#transcribersAsked()
        this.#sessionIs(child(event, 'session') ?? {}, rates)
        this.#purse?.look()
        if (verdict.show === 'nothing') return 'keep'
        return verdict.show === 'as it came' ? 'pass' : verdict.show
      }
      case 'error':
        return this.#failed(event)
      case 'input_audio_buffer.speech_started':
        this.#speechFrom = count(event, 'audio_start_ms')
        this.books.meter.speechBegan(ms(Math.max(0, this.#heard - this.#speechFrom)))
        this.#purse?.withdraw('turn')
        this.#purse?.look()
        return 'pass'
      case 'input_audio_buffer.speech_stopped':
        this.#speechTo = count(event, 'audio_end_ms')
        this.#turns.turnClosed(text(event, 'item_id') ?? '')
        return 'pass'
      case 'input_audio_buffer.timeout_triggered':
        this.#speechFrom = count(event, 'audio_start_ms')
        this.#speechTo = count(event, 'audio_end_ms')
        this.#turns.turnClosed(text(event, 'item_id') ?? '')
        return 'pass'
      case 'input_audio_buffer.committed':
        this.#committed(text(event, 'item_id') ?? '')
        return 'pass'
      case 'input_audio_buffer.cleared':
        this.#mayTakeTurn = false
        this.books.meter.bufferCleared()
        return 'pass'
      case 'conversation.item.added':
      case 'conversation.item.created':
        this.books.meter.itemAppeared()
        return 'pass'
      case 'conversation.item.deleted':
      case 'conversation.item.truncated':
        this.books.meter.historyChanged()
        return 'pass'
      case 'response.created': {
        const response = child(event, 'response')
        const id = text(response, 'id')
        if (id === null) return 'pass'
        const isApart = response?.conversation_id === null
        this.books.began(id, isApart)
        this.#purse?.responseStarted(id, isApart)
        return 'pass'
      }
      case 'response.done': {
        const response = child(event, 'response') ?? {}
        const spent = this.books.responseDone(response)
        this.#purse?.closed(text(response, 'id') ?? '', spent)
        return 'pass'
      }
      case 'conversation.item.input_audio_transcription.completed': {
        // Booked whether or not anything limits the session.
        const spent = this.books.transcribed(event)
        this.#purse?.closed(`t ${text(event, 'item_id')}`, spent)
        return 'pass'
      }
      case 'conversation.item.input_audio_transcription.failed':
        this.books.notTranscribed(text(event, 'item_id') ?? '')
        this.#purse?.closed(`t ${text(event, 'item_id')}`, null)
        return 'pass'
      default:
        return 'pass'
    }
  }

  #failed(event: Loose): Passage {
    const isOurs = this.#turns.failed(event)
    this.#transcribersAsked()
    if (isOurs) return 'keep'
    const code = text(child(event, 'error'), 'code')
    const eventId = text(child(event, 'error'), 'event_id')
    if (code === 'input_audio_buffer_commit_empty') this.books.meter.commitRefused()
    this.#purse?.refused(eventId, code === 'conversation_already_has_active_response')
    // What the broker itself has asked for is nobody else's business.
    return isOwnEvent(eventId) ? 'keep' : 'pass'
  }

  /** Whoever may come to transcribe is reckoned with until its update is answered. */
  #transcribersAsked(): void {
    const rows = [...this.#turns.transcribersAsked].flatMap((model) => this.#transcriber(model) ?? [])
    this.books.meter.transcribersAsked(rows)
  }

  #committed(itemId: string): void {
    const { meter } = this.books
    const said = this.#speechFrom !== null && this.#speechTo !== null ? this.#speechTo - this.#speechFrom : null
    const length = meter.bufferBecameItem(said === null || said < 0 ? null : ms(said))
    this.#speechFrom = null
    this.#speechTo = null
    this.books.turnTaken(itemId, length)
    if (meter.transcriber !== null) this.#purse?.turnTaken(itemId, length)
    if (this.#turns.mustStart(itemId)) this.#purse?.answerTurn()
    else this.#purse?.look()
  }

  #sessionIs(session: Loose, rates: AudioRates): void {
    this.#rates = rates
    this.#gathered = gatheredOf(rates)
    const { meter } = this.books
    const model = transcriptionModel(session)
    meter.transcriberIs(model === null ? null : (this.#transcriber(model) ?? meter.row))
    const input = child(child(session, 'audio'), 'input')
    const detection = child(input, 'turn_detection')
    const limit = session.max_output_tokens
    const instructions = typeof session.instructions === 'string' ? Buffer.byteLength(session.instructions) : 0
    const tools = Array.isArray(session.tools) && session.tools.length > 0 ? JSON.stringify(session.tools) : ''
    meter.sessionIs({
      bytes: instructions + Buffer.byteLength(tools),
      maxOutput: typeof limit === 'number' ? tokens(limit) : null,
      detectsSpeech: detection !== null,
      silence: ms(detection === null ? 0 : count(detection, 'idle_timeout_ms')),
      prompt: Buffer.byteLength(text(child(input, 'transcription'), 'prompt') ?? ''),
    })
  }
}

const gatheredOf = (rates: AudioRates): number => (rates.input * GATHERED) / 1_000
