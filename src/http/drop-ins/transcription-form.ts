import { FaultError } from '../../faults.ts'
import { tooLarge } from '../../storage/measured.ts'
import { boundaryOf, type FormPart, fieldText, formParts } from '../multipart.ts'
import type { WorkFolder, WrittenFile } from './work-folder.ts'

export const TRANSCRIPTION_FORMATS = ['json', 'text', 'srt', 'verbose_json', 'vtt', 'diarized_json'] as const
export type TranscriptionFormat = (typeof TRANSCRIPTION_FORMATS)[number]

/** What OpenAI's form says (transcription.md §1.1). */
export interface TranscriptionForm {
  readonly file: WrittenFile
  readonly model: string
  readonly format: TranscriptionFormat
  readonly language: string | null
  readonly prompt: string | null
  readonly temperature: number | null
  readonly timestamps: readonly ('word' | 'segment')[]
  readonly logprobs: boolean
  readonly stream: boolean
  /** Fields that go to the provider as they came. */
  readonly more: readonly (readonly [string, string])[]
}

/** What a form has beside its file, bytes: references of speakers are a few seconds of sound each. */
const FORM_OVERHEAD = 8 * 1_024 * 1_024
const LONGEST_PROMPT = 16_000
/** As the service spells them, and as clients that write lists without brackets do. */
const PASSED_ON = /^(languages|keywords|chunking_strategy|known_speaker_names|known_speaker_references)(\[[a-z_]*\])*$/
const SPEAKER_REFERENCE = /^known_speaker_references/

/** Reads the form, its file into `folder`. `largest`: of the file, bytes. Throws in the caller's terms. */
export async function readTranscriptionForm(
  contentType: string | undefined,
  body: AsyncIterable<Uint8Array> | null,
  folder: WorkFolder,
  largest: number,
): Promise<TranscriptionForm> {
  const boundary = boundaryOf(contentType)
  if (boundary === null || body === null)
    throw new FaultError('invalid_request', 'Send the file as multipart/form-data.')
  let file: WrittenFile | null = null
  const fields: [string, string][] = []
  for await (const part of formParts(capped(body, largest + FORM_OVERHEAD), boundary)) {
    if (part.name === 'file') file = await folder.write(part.body, largest)
    else fields.push([part.name, await longText(part)])
  }
  if (file === null) throw missing('file')
  return { file, ...readFields(fields) }
}

/** References of speakers are data URLs, longer than any other field. */
async function longText(part: FormPart): Promise<string> {
  if (!SPEAKER_REFERENCE.test(part.name)) return fieldText(part)
  const chunks: Uint8Array[] = []
  for await (const chunk of part.body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function readFields(fields: readonly (readonly [string, string])[]): Omit<TranscriptionForm, 'file'> {
  const one = (name: string) => fields.find(([key]) => key === name)?.[1] ?? null
  const all = (name: string) => fields.filter(([key]) => key === name || key === `${name}[]`).map(([, value]) => value)
  const model = one('model')
  if (model === null || model === '') throw missing('model')
  const format = TRANSCRIPTION_FORMATS.find((known) => known === (one('response_format') ?? 'json'))
  if (format === undefined) throw wrong('response_format', `one of ${TRANSCRIPTION_FORMATS.join(', ')}`)
  const prompt = one('prompt')
  if (prompt !== null && prompt.length > LONGEST_PROMPT) throw wrong('prompt', `at most ${LONGEST_PROMPT} characters`)
  const language = one('language')
  if (language !== null && !/^[A-Za-z-]{2,20}$/.test(language)) throw wrong('language', 'a code such as en')
  const timestamps = all('timestamp_granularities').map((what) => {
    if (what === 'word' || what === 'segment') return what
    throw wrong('timestamp_granularities', 'word or segment')
  })
  if (timestamps.length > 0 && format !== 'verbose_json')
    throw wrong('timestamp_granularities', "left out, or response_format 'verbose_json'")
  return {
    ...{ model, format, language, prompt, timestamps },
    temperature: temperatureOf(one('temperature')),
    logprobs: all('include').includes('logprobs'),
    stream: one('stream')?.toLowerCase() === 'true',
    more: fields.filter(([name]) => PASSED_ON.test(name)),
  }
}

function temperatureOf(text: string | null): number | null {
  if (text === null) return null
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw wrong('temperature', 'a number from 0 to 1')
  return value
}

async function* capped(source: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.byteLength
    if (bytes > most) throw tooLarge(most)
    yield chunk
  }
}

const missing = (param: string) =>
  new FaultError('invalid_request', `Missing required parameter: '${param}'.`, { param })

const wrong = (param: string, expected: string) =>
  new FaultError('invalid_request', `Invalid value for '${param}': expected ${expected}.`, { param })
