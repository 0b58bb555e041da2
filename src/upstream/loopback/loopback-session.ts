import { randomBytes } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { VoiceDetection } from '../../voice/detector.ts'
import { type ClientEvent, type NewItem, type ResponseOptions, readClientEvent } from './client-events.ts'
import { Conversation, type Item, tokensOf } from './conversation.ts'
import type { Faults } from './faults.ts'
import { rateLimits, responseObject } from './response-object.ts'
import { ResponseRun, type RunPort } from './response-run.ts'
import { initialSession, mergeSession, type SessionView, viewOf } from './session-object.ts'
import { answerTo } from './speech.ts'
import { Turns } from './turns.ts'
import { type ContextPart, inputAudioTokens, NONE, type ResponseUsage, responseUsage, textTokens } from './usage.ts'

type Loose = Record<string, unknown>

/** What a session needs of its connection. */
export interface SessionPort {
  emit(event: Loose): void
  isBlocked(): boolean
  /** Booked on the provider's side: the truth that a broker's ledger is held against. */
  bill(record: BillRecord): void
}

/** One thing billed: a response, or the transcription of one turn. */
export type BillRecord =
  | { kind: 'response'; session: string; id: string; model: string; usage: ResponseUsage }
  | { kind: 'transcription'; session: string; id: string; model: string; usage: Loose }

export interface SessionOptions {
  kind: 'realtime' | 'transcription'
  model: string
  /** Unix seconds. */
  expiresAt: number
  /** How many times faster than it plays audio is sent. */
  speed: number
  faults: Faults
}

/** Input limit, tokens: context less the longest output (reference: realtime protocol, models). */
const contextOf = (model: string) => (/^gpt-realtime-2/.test(model) ? 96_000 : 28_224)

/** One session of the loopback provider: the GA protocol with no model behind it. */
export class LoopbackSession {
  readonly id = newId('sess')
  readonly #port: SessionPort
  readonly #options: SessionOptions
  readonly #clock: Clock
  readonly #conversation = new Conversation()
  readonly #turns: Turns
  readonly #runs = new Map<string, { run: ResponseRun; options: ResponseOptions; context: ContextPart[] }>()
  #session: Loose
  #view: SessionView
  #previous: ContextPart[] = []
  #hasSpoken = false

  constructor(options: SessionOptions, port: SessionPort, clock: Clock, voices: VoiceDetection) {
    this.#options = options
    this.#port = port
    this.#clock = clock
    this.#session = initialSession(options.kind, this.id, options.model, options.expiresAt)
    this.#view = viewOf(this.#session)
    this.#turns = new Turns(
      this.#view,
      {
        emit: (event) => port.emit(event),
        newId,
        interrupted: () => this.#active()?.cancel('turn_detected'),
        committed: (itemId, audio, respond) => this.#committed(itemId, audio, respond),
      },
      clock,
      voices,
    )
    port.emit({ type: 'session.created', session: this.#session })
  }

  close(): void {
    this.#turns.close()
    for (const { run } of this.#runs.values()) run.abandon()
  }

  /** One frame of the client, as text. */
  receive(text: string): void {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return this.#error('invalid_json', 'The event is not valid JSON.', null, null)
    }
    if (typeof value !== 'object' || value === null || typeof (value as Loose).type !== 'string') {
      return this.#error('invalid_event', "The event has no 'type'.", null, null)
    }
    const given = (value as Loose).event_id
    const eventId = typeof given === 'string' ? given : null
    const read = readClientEvent(value)
    if (read.ok) this.#handle(read.event, eventId)
    else this.#error(read.refusal.code, read.refusal.message, read.refusal.param, eventId)
  }

  #handle(event: ClientEvent, eventId: string | null): void {
    switch (event.type) {
      case 'session.update':
        return this.#update(event.session, eventId)
      case 'input_audio_buffer.append':
        if (!this.#turns.append(event.audio))
          this.#error('invalid_value', 'The input audio buffer is full.', 'audio', eventId)
        return
      case 'input_audio_buffer.commit':
        if (this.#turns.commit()) return
        return this.#error(
          'input_audio_buffer_commit_empty',
          'Error committing input audio buffer: buffer too small. Expected at least 100ms of audio.',
          null,
          eventId,
        )
      case 'input_audio_buffer.clear':
        this.#turns.clear()
        return this.#port.emit({ type: 'input_audio_buffer.cleared' })
      case 'conversation.item.create':
        return this.#create(event.item, event.previous_item_id, eventId)
      case 'conversation.item.retrieve': {
        const item = this.#conversation.find(event.item_id)
        if (item === null) return this.#noItem('item_retrieve_invalid_item_id', event.item_id, eventId)
        const audio = this.#conversation.audioOf(item.id)?.toString('base64')
        const content = item.content?.map((part) => (String(part.type).endsWith('audio') ? { ...part, audio } : part))
        return this.#port.emit({ type: 'conversation.item.retrieved', item: { ...item, content } })
      }
      case 'conversation.item.delete':
        if (!this.#conversation.remove(event.item_id)) {
          return this.#noItem('item_delete_invalid_item_id', event.item_id, eventId)
        }
        return this.#port.emit({ type: 'conversation.item.deleted', item_id: event.item_id })
      case 'conversation.item.truncate':
        return this.#truncate(event, eventId)
      case 'response.create':
        if (this.#view.kind === 'transcription') {
          return this.#error('invalid_value', 'Transcription sessions make no responses.', 'type', eventId)
        }
        if (event.response?.conversation !== 'none' && this.#active() !== null) {
          return this.#error(
            'conversation_already_has_active_response',
            `Conversation already has an active response in progress: ${this.#active()?.id}.`,
            null,
            eventId,
          )
        }
        return this.#respond(event.response ?? {})
      case 'response.cancel': {
        const run = event.response_id === undefined ? this.#active() : (this.#runs.get(event.response_id)?.run ?? null)
        if (run === null)
          return this.#error(
            'response_cancel_not_active',
            'Cancellation failed: no active response found',
            null,
            eventId,
          )
        return run.cancel('client_cancelled')
      }
      case 'output_audio_buffer.clear':
        return
    }
  }

  #update(given: Loose, eventId: string | null): void {
    if (given.type !== this.#session.type) {
      return this.#error('invalid_value', 'The type of a session cannot change.', 'session.type', eventId)
    }
    const voice = (given.audio as { output?: { voice?: unknown } } | undefined)?.output?.voice
    const held = (this.#session.audio as { output?: { voice?: unknown } }).output?.voice
    if (this.#hasSpoken && voice !== undefined && JSON.stringify(voice) !== JSON.stringify(held)) {
      return this.#error(
        'cannot_update_voice',
        'Cannot update voice after audio was produced.',
        'session.audio.output.voice',
        eventId,
      )
    }
    const { id: _id, object: _object, expires_at: _expires, ...fields } = given
    this.#session = mergeSession(this.#session, fields)
    this.#view = viewOf(this.#session)
    this.#turns.configure(this.#view)
    this.#port.emit({ type: 'session.updated', session: this.#session })
  }

  // ---- items ----

  #create(given: NewItem, after: string | null | undefined, eventId: string | null): void {
    if (this.#conversation.isFull) return this.#error('invalid_value', 'The conversation is full.', 'item', eventId)
    const id = given.id ?? newId('item')
    if (this.#conversation.find(id) !== null)
      return this.#error('invalid_value', `Item '${id}' exists already.`, 'item.id', eventId)
    const { audio, item } = this.#accept(given, id)
    const audioMs = ((audio?.length ?? 0) / this.#view.bytesPerSecondIn) * 1_000
    const placed = this.#conversation.insert(item, tokensOf(given, audioMs), audio, after)
    if (placed === null) return this.#noItem('invalid_value', String(after), eventId)
    this.#port.emit({ type: 'conversation.item.added', previous_item_id: placed.previous, item })
    this.#port.emit({ type: 'conversation.item.done', previous_item_id: placed.previous, item })
  }

  /** The item as it is shown: audio bytes are kept apart and never echoed. */
  #accept(given: NewItem, id: string): { item: Item; audio: Buffer | null } {
    const base = { ...given, id, object: 'realtime.item' as const, status: 'completed' as const }
    if (given.type === 'function_call')
      return { item: { ...base, call_id: given.call_id ?? newId('call') } as Item, audio: null }
    if (given.type !== 'message') return { item: base as Item, audio: null }
    const pieces: Buffer[] = []
    const content = given.content.map(({ audio, ...part }) => {
      if (typeof audio === 'string') pieces.push(Buffer.from(audio, 'base64'))
      return part as Loose
    })
    return { item: { ...base, content } as Item, audio: pieces.length > 0 ? Buffer.concat(pieces) : null }
  }

  #truncate(event: Extract<ClientEvent, { type: 'conversation.item.truncate' }>, eventId: string | null): void {
    const item = this.#conversation.find(event.item_id)
    const audio = this.#conversation.audioOf(event.item_id)
    if (item?.role !== 'assistant' || audio === null)
      return this.#noItem('item_truncate_invalid_item_id', event.item_id, eventId)
    const lengthMs = (audio.length / this.#view.outputBytesPerSecond) * 1_000
    if (event.audio_end_ms > lengthMs + 1) {
      const said = `Audio content of ${Math.floor(lengthMs)}ms is already shorter than ${event.audio_end_ms}ms`
      return this.#error('invalid_value', said, 'audio_end_ms', eventId)
    }
    const kept = audio.subarray(0, Math.floor((event.audio_end_ms * this.#view.outputBytesPerSecond) / 1_000) & ~1)
    item.content = [{ type: 'output_audio', transcript: '' }]
    this.#conversation.change(item.id, { ...NONE, audio: Math.ceil(event.audio_end_ms / 50) }, kept)
    const { item_id, content_index, audio_end_ms } = event
    this.#port.emit({ type: 'conversation.item.truncated', item_id, content_index, audio_end_ms })
  }

  #committed(itemId: string, audio: Buffer, respond: boolean): void {
    const lengthMs = (audio.length / this.#view.bytesPerSecondIn) * 1_000
    const content = [{ type: 'input_audio', transcript: null }]
    const item: Item = {
      id: itemId,
      object: 'realtime.item',
      type: 'message',
      status: 'completed',
      role: 'user',
      content,
    }
    const placed = this.#conversation.insert(item, { ...NONE, audio: inputAudioTokens(lengthMs) }, audio)
    const previous_item_id = placed?.previous ?? null
    this.#port.emit({ type: 'input_audio_buffer.committed', previous_item_id, item_id: itemId })
    this.#port.emit({ type: 'conversation.item.added', previous_item_id, item })
    this.#port.emit({ type: 'conversation.item.done', previous_item_id, item })
    if (this.#view.transcriptionModel !== null) this.#transcribe(item, lengthMs, this.#view.transcriptionModel)
    if (respond && this.#active() === null) this.#respond({})
  }

  #transcribe(item: Item, lengthMs: number, model: string): void {
    const transcript = `(${(lengthMs / 1_000).toFixed(1)} seconds of speech)`
    const audio_tokens = inputAudioTokens(lengthMs)
    const output_tokens = textTokens(transcript)
    const usage = model.includes('4o')
      ? {
          type: 'tokens',
          total_tokens: audio_tokens + output_tokens,
          input_tokens: audio_tokens,
          output_tokens,
          input_token_details: { text_tokens: 0, audio_tokens },
        }
      : { type: 'duration', seconds: Math.round(lengthMs) / 1_000 }
    const head = { item_id: item.id, content_index: 0 }
    this.#port.emit({ type: 'conversation.item.input_audio_transcription.delta', ...head, delta: transcript })
    this.#port.bill({ kind: 'transcription', session: this.id, id: item.id, model, usage })
    this.#port.emit({ type: 'conversation.item.input_audio_transcription.completed', ...head, transcript, usage })
    item.content = [{ type: 'input_audio', transcript }]
  }

  // ---- responses ----

  /** The response in the conversation itself; one at a time. */
  #active(): ResponseRun | null {
    for (const { run, options } of this.#runs.values()) if (options.conversation !== 'none') return run
    return null
  }

  #respond(options: ResponseOptions): void {
    const view = this.#view
    const outOfBand = options.conversation === 'none'
    const last = options.input === undefined ? this.#conversation.lastInput() : this.#lastOf(options.input)
    const text = `${options.instructions ?? ''} ${textOf(last)}`.trim()
    const spoken = last?.role === 'user' ? this.#conversation.audioOf(String(last.id)) : null
    const sameFormat = view.bytesPerSecondIn === view.outputBytesPerSecond
    const answer = answerTo({
      text,
      audio: sameFormat && options.instructions === undefined ? spoken : null,
      isToolResult: last?.type === 'function_call_output',
      bytesPerSecond: view.outputBytesPerSecond,
      modality: options.output_modalities?.[0] ?? view.modality,
      tools: options.tools ?? view.tools,
      toolChoice: options.tool_choice ?? view.toolChoice,
    })
    const asked = options.max_output_tokens
    const most = typeof asked === 'number' ? asked : view.maxOutputTokens
    const run = new ResponseRun(answer, this.#runPort(options), this.#clock, this.#options.speed, most)
    const context = this.#context(options)
    this.#runs.set(run.id, { run, options, context })
    this.#port.emit({ type: 'response.created', response: responseObject(this.#session, this.id, run, options, null) })
    const { faults } = this.#options
    if (faults.rateLimited !== undefined || faults.quota !== undefined) {
      return this.#failed(run, faults.quota !== undefined ? 'insufficient_quota' : 'rate_limit_exceeded')
    }
    if (answer.kind === 'audio' && !outOfBand) this.#hasSpoken = true
    run.start()
  }

  #runPort(options: ResponseOptions): RunPort {
    const outOfBand = options.conversation === 'none'
    return {
      emit: (event) => this.#port.emit(event),
      isBlocked: () => this.#port.isBlocked(),
      newId,
      itemAdded: (item) => {
        if (outOfBand) return
        const placed = this.#conversation.insert(item, NONE, null)
        this.#port.emit({
          type: 'conversation.item.added',
          previous_item_id: placed?.previous ?? null,
          item: { ...item },
        })
      },
      itemDone: (item, tokens, audio) => {
        if (outOfBand) return
        this.#conversation.change(item.id, tokens, audio)
        this.#port.emit({ type: 'conversation.item.done', item: { ...item } })
      },
      finished: (run) => this.#finished(run),
    }
  }

  #finished(run: ResponseRun): void {
    const held = this.#runs.get(run.id)
    if (held === undefined) return
    this.#runs.delete(run.id)
    const usage = responseUsage(held.context, this.#previous, run.tokens)
    if (held.options.input === undefined) this.#previous = held.context
    this.#port.bill({ kind: 'response', session: this.id, id: run.id, model: this.#options.model, usage })
    this.#port.emit({
      type: 'response.done',
      response: responseObject(this.#session, this.id, run, held.options, usage),
    })
    this.#port.emit(rateLimits(usage.total_tokens))
    this.#turns.restIn(run.tokens.audio * 50)
  }

  #failed(run: ResponseRun, code: string): void {
    const held = this.#runs.get(run.id)
    this.#runs.delete(run.id)
    const status_details = { type: 'failed', error: { type: code, code, message: 'The request was refused.' } }
    const response = {
      ...responseObject(this.#session, this.id, run, held?.options ?? {}, null),
      status: 'failed',
      status_details,
    }
    this.#port.emit({ type: 'response.done', response })
  }

  #context(options: ResponseOptions): ContextPart[] {
    const head = `${options.instructions ?? this.#view.instructions}${JSON.stringify(options.tools ?? this.#view.tools)}`
    const text = head === '[]' ? 0 : textTokens(head)
    const first = { fingerprint: head, tokens: { ...NONE, text } }
    if (options.input === undefined) return this.#conversation.context(first, contextOf(this.#options.model))
    const parts = options.input.map((item, i) => ({ fingerprint: `input.${i}`, tokens: tokensOf(item, 0) }))
    return [first, ...parts]
  }

  #lastOf(input: NonNullable<ResponseOptions['input']>): Loose | null {
    const last = input.at(-1)
    if (last === undefined) return null
    return last.type === 'item_reference' ? (this.#conversation.find(String(last.id)) as Loose | null) : last
  }

  // ---- errors ----

  #noItem(code: string, id: string, eventId: string | null): void {
    this.#error(code, `Item with id '${id}' not found.`, 'item_id', eventId)
  }

  #error(code: string, message: string, param: string | null, eventId: string | null): void {
    this.#port.emit({
      type: 'error',
      error: { type: 'invalid_request_error', code, message, param, event_id: eventId },
    })
  }
}

function textOf(item: Loose | Item | null): string {
  const parts = (item?.content ?? []) as Loose[]
  return parts.map((part) => (typeof part.text === 'string' ? part.text : '')).join(' ')
}

export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString('base64url').replace(/[-_]/g, 'x')}`
}
