import { openAsBlob } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { readChatUsage } from '../meter/read-usage.ts'
import {
  CallFailed,
  type ForwardCall,
  type Forwarded,
  type MediaProvider,
  promptOf,
  type TranscriptionAnswer,
  type TranscriptionCall,
  type VisionAnswer,
  type VisionCall,
} from './media-provider.ts'
import { type HttpAnswer, jsonOf, type ProviderHttp } from './provider-http.ts'
import { sseData } from './sse.ts'
import { meanOf, readTranscription, StreamedTranscription } from './transcription-answer.ts'

type Loose = Record<string, unknown>

/** All pictures of one call together: they are held in memory while they are sent. */
const LARGEST_PICTURES = 24 * 1_024 * 1_024

/** What the services tell a file's format by. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'audio/flac': 'flac',
  'audio/ogg': 'ogg',
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/mpeg': 'mp3',
  'audio/mp4': 'm4a',
  'audio/webm': 'webm',
}

/** How a kind of provider differs from OpenAI itself. */
export interface Dialect {
  /** The field that bounds an answer. */
  readonly maxTokens: 'max_completion_tokens' | 'max_tokens'
}

/** Every kind of provider we know speaks OpenAI's HTTP interface; they differ in address, credential and dialect. */
export class HttpMediaProvider implements MediaProvider {
  readonly #http: ProviderHttp
  readonly #dialect: Dialect

  constructor(http: ProviderHttp, dialect: Dialect) {
    this.#http = http
    this.#dialect = dialect
  }

  async transcribe(
    call: TranscriptionCall,
    signal: AbortSignal,
    onText?: (text: string) => void,
  ): Promise<TranscriptionAnswer> {
    const isStreamed = onText !== undefined && streams(call)
    const fields = fieldsOf(call)
    if (isStreamed) fields.push(['stream', 'true'])
    const content = await openAsBlob(call.path, { type: call.mime })
    const file = { name: `audio.${EXTENSIONS[call.mime] ?? 'bin'}`, content }
    const answer = await this.#http.post('audio/transcriptions', { fields, file }, signal)
    if (isStreamed) return readStream(answer, onText)
    return readTranscription(await jsonOf(answer), answer.requestId)
  }

  async describe(call: VisionCall, signal: AbortSignal): Promise<VisionAnswer> {
    const content: Loose[] = [
      { type: 'text', text: call.text === null ? call.prompt : `${call.prompt}\n\n${call.text}` },
    ]
    let seen = 0
    for (const { path, mime, detail } of call.pictures) {
      const bytes = await readFile(path, { signal })
      seen += bytes.length
      if (seen > LARGEST_PICTURES) throw new CallFailed('refused', 'the pictures of one call are too large')
      const image = { url: `data:${mime};base64,${bytes.toString('base64')}` }
      content.push({ type: 'image_url', image_url: detail === null ? image : { ...image, detail } })
    }
    const json = {
      model: call.model,
      messages: [{ role: 'user', content }],
      [this.#dialect.maxTokens]: call.maxOutputTokens,
      ...(call.logprobs === true ? { logprobs: true } : {}),
    }
    const answer = await this.#http.post('chat/completions', { json }, signal)
    return readDescription(await jsonOf(answer), answer.requestId)
  }

  async forward({ path, body }: ForwardCall, signal: AbortSignal): Promise<Forwarded> {
    const { status, headers, requestId, body: bytes } = await this.#http.post(path, { json: body }, signal, true)
    return { status, contentType: headers['content-type'] ?? 'application/json', requestId, body: bytes }
  }
}

/** whisper-1 ignores `stream`; the others stream their plain answers. */
const streams = ({ model, format }: TranscriptionCall) =>
  !model.startsWith('whisper') && (format === 'json' || format === 'diarized_json')

function fieldsOf(call: TranscriptionCall): [string, string][] {
  const fields: [string, string][] = [
    ['model', call.model],
    // Plain text comes without its usage, and JSON has the same text.
    ['response_format', call.format === 'text' ? 'json' : call.format],
  ]
  if (call.language !== null) fields.push(['language', call.language])
  const prompt = promptOf(call)
  if (prompt !== null) fields.push(['prompt', prompt])
  if (call.temperature !== null) fields.push(['temperature', String(call.temperature)])
  if (call.format === 'verbose_json')
    for (const what of call.timestamps) fields.push(['timestamp_granularities[]', what])
  if (call.logprobs && call.format === 'json') fields.push(['include[]', 'logprobs'])
  const more = call.more ?? []
  // Without it longer recordings are refused (transcription.md §1.1).
  if (call.format === 'diarized_json' && !more.some(([name]) => name.startsWith('chunking_strategy')))
    fields.push(['chunking_strategy', 'auto'])
  for (const [name, value] of more) fields.push([name, value])
  return fields
}

async function readStream(answer: HttpAnswer, onText: (text: string) => void): Promise<TranscriptionAnswer> {
  // A provider that does not stream answers at once.
  if (!(answer.headers['content-type'] ?? '').startsWith('text/event-stream'))
    return readTranscription(await jsonOf(answer), answer.requestId)
  const streamed = new StreamedTranscription(onText)
  try {
    for await (const data of sseData(answer.body)) {
      if (data !== '[DONE]') streamed.event(JSON.parse(data) as Loose)
    }
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof RangeError)) throw cause
    throw new CallFailed('bad_answer', 'the stream of the provider makes no sense', { mayBeBought: true, cause })
  }
  return streamed.answer(answer.requestId)
}

/** Reads a chat completion. Throws CallFailed `bad_answer`. */
function readDescription(raw: Loose, requestId: string | null): VisionAnswer {
  const [choice] = (Array.isArray(raw.choices) ? raw.choices : []) as (Loose | undefined)[]
  const message = choice?.message as { content?: unknown; refusal?: unknown } | undefined
  const text = message?.content ?? message?.refusal
  if (typeof text !== 'string') throw new CallFailed('bad_answer', 'the description has no text', { mayBeBought: true })
  const logprobs = (choice?.logprobs as { content?: unknown } | null | undefined)?.content
  return {
    text,
    isCut: choice?.finish_reason === 'length',
    meanLogprob: meanOf(Array.isArray(logprobs) ? logprobs : null),
    usage: readChatUsage(raw.usage),
    requestId,
  }
}
