import type { Clock } from '../../clock.ts'
import { later, ms } from '../../units.ts'
import type { Item } from './conversation.ts'
import type { Answer } from './speech.ts'
import { NONE, outputAudioTokens, type TokenCount, textTokens } from './usage.ts'

type Loose = Record<string, unknown>

/** What a response needs of the session it runs in. */
export interface RunPort {
  emit(event: Loose): void
  /** True while the line to the caller is full. */
  isBlocked(): boolean
  newId(prefix: string): string
  /** The item now belongs to the conversation, unless the response is out of band. */
  itemAdded(item: Item): void
  itemDone(item: Item, tokens: TokenCount, audio: Buffer | null): void
  /** The response is over. */
  finished(run: ResponseRun): void
}

export type RunStatus = 'completed' | 'cancelled' | 'incomplete'

/** Audio of one delta, ms, and how often the next one is due at natural speed. */
const CHUNK_MS = 100

/** One response from its first event to its last, paced faster than it plays. */
export class ResponseRun {
  readonly id: string
  readonly item: Item
  status: 'in_progress' | RunStatus = 'in_progress'
  reason: string | null = null
  readonly #answer: Answer
  readonly #port: RunPort
  readonly #clock: Clock
  readonly #speed: number
  readonly #maxTokens: number
  #sentMs = 0
  #sentText = ''
  #audio: Buffer[] = []
  #timer: Disposable | null = null

  constructor(answer: Answer, port: RunPort, clock: Clock, speed: number, maxTokens: number) {
    this.id = port.newId('resp')
    this.#answer = answer
    this.#port = port
    this.#clock = clock
    this.#speed = speed
    this.#maxTokens = maxTokens
    const common = { id: port.newId('item'), object: 'realtime.item' as const, status: 'in_progress' as const }
    this.item =
      answer.kind === 'tool'
        ? { ...common, type: 'function_call', name: answer.name, call_id: port.newId('call'), arguments: '' }
        : { ...common, type: 'message', role: 'assistant', content: [] }
  }

  /** What was generated so far, and is billed whether it was heard or not. */
  get tokens(): TokenCount {
    return { ...NONE, text: textTokens(this.#sentText), audio: outputAudioTokens(this.#sentMs) }
  }

  start(): void {
    const head = { response_id: this.id, output_index: 0 }
    this.#port.emit({ type: 'response.output_item.added', ...head, item: { ...this.item } })
    this.#port.itemAdded(this.item)
    if (this.#answer.kind !== 'tool') {
      const part = this.#answer.kind === 'audio' ? { type: 'audio', transcript: '' } : { type: 'text', text: '' }
      this.#port.emit({ type: 'response.content_part.added', ...head, item_id: this.item.id, content_index: 0, part })
    }
    this.#schedule()
  }

  cancel(reason: 'turn_detected' | 'client_cancelled'): void {
    if (this.status === 'in_progress') this.#finish('cancelled', reason)
  }

  /** Ends without another word: the line is gone. */
  abandon(): void {
    this.#timer?.[Symbol.dispose]()
  }

  #schedule(): void {
    this.#timer = this.#clock.at(later(this.#clock.now(), ms(CHUNK_MS / this.#speed)), () => this.#step())
  }

  #step(): void {
    if (this.status !== 'in_progress') return
    if (!this.#port.isBlocked() && !this.#sendNext()) return
    this.#schedule()
  }

  /** Sends the next delta; false when that was the last. */
  #sendNext(): boolean {
    const answer = this.#answer
    const head = { response_id: this.id, item_id: this.item.id, output_index: 0 }
    if (answer.kind === 'tool') {
      this.#sentText = answer.arguments
      this.#port.emit({
        type: 'response.function_call_arguments.delta',
        ...head,
        call_id: this.item.call_id,
        delta: answer.arguments,
      })
      return this.#finish('completed', null)
    }
    const whole = answer.kind === 'audio' ? answer.transcript : answer.text
    const left = this.#maxTokens - this.tokens.text - this.tokens.audio
    if (left <= 0) return this.#finish('incomplete', 'max_output_tokens')
    if (answer.kind === 'audio') {
      const to = Math.min(answer.lengthMs, this.#sentMs + Math.min(CHUNK_MS, left * 50))
      const bytes = answer.audio(this.#sentMs, to)
      this.#audio.push(bytes)
      this.#sentMs = to
      const delta = bytes.toString('base64')
      this.#port.emit({ type: 'response.output_audio.delta', ...head, content_index: 0, delta })
    }
    const share = answer.kind === 'audio' ? this.#sentMs / answer.lengthMs : (this.#sentText.length + 12) / whole.length
    const text = whole.slice(this.#sentText.length, Math.min(whole.length, Math.ceil(whole.length * share)))
    if (text !== '') {
      this.#sentText += text
      const type = answer.kind === 'audio' ? 'response.output_audio_transcript.delta' : 'response.output_text.delta'
      this.#port.emit({ type, ...head, content_index: 0, delta: text })
    }
    const isOver = answer.kind === 'audio' ? this.#sentMs >= answer.lengthMs : this.#sentText.length >= whole.length
    return isOver ? this.#finish('completed', null) : true
  }

  #finish(status: RunStatus, reason: string | null): false {
    this.#timer?.[Symbol.dispose]()
    this.status = status
    this.reason = reason
    const head = { response_id: this.id, item_id: this.item.id, output_index: 0 }
    this.item.status = status === 'completed' ? 'completed' : 'incomplete'
    if (this.#answer.kind === 'tool') {
      this.item.arguments = this.#sentText
      const { name, call_id } = this.item
      this.#port.emit({
        type: 'response.function_call_arguments.done',
        ...head,
        call_id,
        name,
        arguments: this.#sentText,
      })
    } else if (this.#answer.kind === 'audio') {
      const part = { type: 'audio', transcript: this.#sentText }
      this.item.content = [{ type: 'output_audio', transcript: this.#sentText }]
      this.#port.emit({ type: 'response.output_audio.done', ...head, content_index: 0 })
      this.#port.emit({
        type: 'response.output_audio_transcript.done',
        ...head,
        content_index: 0,
        transcript: this.#sentText,
      })
      this.#port.emit({ type: 'response.content_part.done', ...head, content_index: 0, part })
    } else {
      this.item.content = [{ type: 'output_text', text: this.#sentText }]
      this.#port.emit({ type: 'response.output_text.done', ...head, content_index: 0, text: this.#sentText })
      const part = { type: 'text', text: this.#sentText }
      this.#port.emit({ type: 'response.content_part.done', ...head, content_index: 0, part })
    }
    this.#port.itemDone(this.item, this.tokens, this.#audio.length > 0 ? Buffer.concat(this.#audio) : null)
    this.#audio = []
    this.#port.emit({
      type: 'response.output_item.done',
      response_id: this.id,
      output_index: 0,
      item: { ...this.item },
    })
    this.#port.finished(this)
    return false
  }
}
