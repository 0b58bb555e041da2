import { transcriptionUsage } from '../usage.ts'
import type { HttpFault, Reply } from './reply.ts'
import { refused } from './reply.ts'
import { soundLength } from './sound-length.ts'
import { confidenceOf, type Heard, subtitles, transcriptOf } from './transcript.ts'

type Loose = Record<string, unknown>

const FORMATS = ['json', 'text', 'srt', 'verbose_json', 'vtt', 'diarized_json'] as const
type Format = (typeof FORMATS)[number]
/** The service's own bound on a file. */
const LARGEST_FILE = 25_000_000
const SHORTEST_MS = 100
const LONGEST_4O_MS = 1_400_000
const DELTA_WORDS = 4

/** `POST /v1/audio/transcriptions` with the limits and shapes of the live service (transcription.md §1). */
export async function transcribe(form: FormData, fault: HttpFault): Promise<Reply> {
  const model = text(form, 'model')
  if (model === null) return refused(400, 'missing_required_parameter', "Missing required parameter: 'model'.", 'model')
  const file = form.get('file')
  if (!(file instanceof Blob))
    return refused(400, 'missing_required_parameter', "Missing required parameter: 'file'.", 'file')
  if (file.size > LARGEST_FILE)
    return refused(413, null, `Maximum content size limit (${LARGEST_FILE}) exceeded (${file.size} bytes read)`, null)
  const format = (text(form, 'response_format') ?? 'json') as Format
  if (!allowed(model).includes(format)) {
    const message = `response_format '${format}' is not compatible with model '${model}'.`
    return refused(400, 'unsupported_value', message, 'response_format')
  }
  const bytes = Buffer.from(await file.arrayBuffer())
  const length = soundLength(bytes)
  if (length === null) {
    const message = 'Audio file might be corrupted or unsupported'
    return refused(400, 'invalid_value', message, 'file')
  }
  if (length < SHORTEST_MS)
    return refused(400, 'audio_too_short', 'Audio file is too short. Minimum audio length is 0.1 seconds.', 'file')
  if (model.includes('4o') && length > LONGEST_4O_MS) {
    const message = `audio duration ${length / 1_000} seconds is longer than 1400 seconds which is the maximum for this model`
    return refused(400, 'invalid_value', message, 'file')
  }
  const chunking = [...form.keys()].some((name) => name.startsWith('chunking_strategy'))
  if (model.includes('diarize') && length > 30_000 && !chunking)
    return refused(
      400,
      'missing_required_parameter',
      'chunking_strategy is required for this model.',
      'chunking_strategy',
    )

  const heard = transcriptOf(bytes, length, {
    isCut: fault.cut !== undefined,
    most: model.includes('4o') ? 1_400 : 1e9,
  })
  const isUnsure = fault.unsure !== undefined || /\bunsure\b/.test(text(form, 'prompt') ?? '')
  const sure = confidenceOf(bytes, isUnsure && (model.includes('mini') || fault.unsure !== undefined))
  const usage = transcriptionUsage(model, length, heard.text)
  const told = fault.missingUsage === undefined ? { usage } : {}
  const wantsLogprobs = form.getAll('include[]').includes('logprobs')
  const bill = { model, usage }
  if (text(form, 'stream') === 'true' && !model.startsWith('whisper'))
    return { type: 'events', events: streamed(heard, format, told, wantsLogprobs ? sure : null), bill }
  switch (format) {
    case 'text':
      return { type: 'text', text: `${heard.text}\n`, contentType: 'text/plain; charset=utf-8', bill }
    case 'srt':
    case 'vtt':
      return { type: 'text', text: subtitles(heard, format), contentType: 'text/plain; charset=utf-8', bill }
    case 'json': {
      const logprobs = wantsLogprobs ? { logprobs: logprobsOf(heard, sure) } : {}
      return { type: 'json', body: { text: heard.text, ...logprobs, ...told }, bill }
    }
    case 'verbose_json': {
      const wanted = form.getAll('timestamp_granularities[]')
      return { type: 'json', body: { ...verbose(heard, sure, wanted.map(String)), ...told }, bill }
    }
    case 'diarized_json': {
      const segments = heard.segments.map(diarized)
      return {
        type: 'json',
        body: { task: 'transcribe', duration: heard.duration, text: heard.text, segments, ...told },
        bill,
      }
    }
  }
}

function allowed(model: string): readonly string[] {
  if (model.startsWith('whisper')) return FORMATS.filter((format) => format !== 'diarized_json')
  if (model.includes('diarize')) return ['json', 'text', 'diarized_json']
  return model.includes('4o') ? ['json', 'text'] : model.startsWith('gpt-') ? ['json'] : FORMATS
}

function verbose(heard: Heard, sure: number, wanted: readonly string[]): Loose {
  const words = heard.segments.flatMap((segment) => segment.words)
  const segments = heard.segments.map(({ start, end, text }, id) => ({
    ...{ id, seek: Math.floor(start) * 100, start, end, text: ` ${text}`, tokens: [], temperature: 0 },
    ...{ avg_logprob: sure, compression_ratio: 1.2, no_speech_prob: 0.01 },
  }))
  return {
    ...{ task: 'transcribe', language: 'english', duration: heard.duration, text: heard.text },
    ...(wanted.length === 0 || wanted.includes('segment') ? { segments } : {}),
    ...(wanted.includes('word') ? { words } : {}),
  }
}

const diarized = ({ start, end, text, speaker }: Heard['segments'][number], i: number): Loose => ({
  ...{ type: 'transcript.text.segment', id: `seg_${i}`, start, end, text, speaker },
})

function logprobsOf({ text }: Heard, sure: number): Loose[] {
  return text.split(' ').map((word, i) => {
    const token = i === 0 ? word : ` ${word}`
    return { token, logprob: sure, bytes: [...Buffer.from(token)] }
  })
}

function streamed(heard: Heard, format: Format, told: Loose, sure: number | null): Loose[] {
  const words = heard.text.split(' ')
  const events: Loose[] = []
  for (let i = 0; i < words.length; i += DELTA_WORDS) {
    const delta = `${i === 0 ? '' : ' '}${words.slice(i, i + DELTA_WORDS).join(' ')}`
    events.push({ type: 'transcript.text.delta', delta })
  }
  if (format === 'diarized_json') events.push(...heard.segments.map(diarized))
  const logprobs = sure === null ? {} : { logprobs: logprobsOf(heard, sure) }
  return [...events, { type: 'transcript.text.done', text: heard.text, ...logprobs, ...told }]
}

function text(form: FormData, name: string): string | null {
  const value = form.get(name)
  return typeof value === 'string' && value !== '' ? value : null
}
