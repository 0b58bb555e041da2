import { readTranscriptionUsage } from '../meter/read-usage.ts'
import { type Ms, ms } from '../units.ts'
import { CallFailed, type TranscriptionAnswer } from './media-provider.ts'

type Loose = Readonly<Record<string, unknown>>
type Segment = NonNullable<TranscriptionAnswer['segments']>[number]
type Word = NonNullable<TranscriptionAnswer['words']>[number]

/** Reads `json`, `verbose_json` and `diarized_json` (transcription.md §1.2). Throws CallFailed `bad_answer`. */
export function readTranscription(raw: Loose, requestId: string | null): TranscriptionAnswer {
  if (typeof raw.text !== 'string')
    throw new CallFailed('bad_answer', 'the transcription has no text', { mayBeBought: true })
  const segments = listOf(raw.segments)?.flatMap(segmentOf) ?? null
  const logprobs = listOf(raw.logprobs)
  return {
    text: raw.text,
    language: languageOf(raw),
    segments,
    words: listOf(raw.words)?.flatMap(wordOf) ?? null,
    logprobs,
    meanLogprob: meanOf(logprobs) ?? meanOfSegments(segments),
    usage: readTranscriptionUsage(raw.usage),
    requestId,
  }
}

/** What the events of a streamed transcription come to. */
export class StreamedTranscription {
  readonly #segments: Segment[] = []
  readonly #onText: (text: string) => void
  #done: Loose | null = null

  constructor(onText: (text: string) => void) {
    this.#onText = onText
  }

  event(raw: Loose): void {
    if (raw.type === 'transcript.text.delta' && typeof raw.delta === 'string') this.#onText(raw.delta)
    if (raw.type === 'transcript.text.segment') this.#segments.push(...segmentOf(raw))
    if (raw.type === 'transcript.text.done') this.#done = raw
  }

  /** Throws CallFailed where the stream ended before its last event. */
  answer(requestId: string | null): TranscriptionAnswer {
    if (this.#done === null)
      throw new CallFailed('bad_answer', 'the stream ended before its last event', { mayBeBought: true })
    const answer = readTranscription(this.#done, requestId)
    return this.#segments.length === 0 ? answer : { ...answer, segments: this.#segments }
  }
}

/** A mean below which an answer is not to be trusted; weighs segments by their length. */
export function meanOfSegments(segments: readonly Segment[] | null): number | null {
  let sum = 0
  let time = 0
  for (const { start, end, avgLogprob } of segments ?? []) {
    if (avgLogprob === null) continue
    const length = Math.max(1, end - start)
    sum += avgLogprob * length
    time += length
  }
  return time === 0 ? null : sum / time
}

/** Of `[{logprob}]`, as several answers carry it. */
export function meanOf(logprobs: readonly unknown[] | null): number | null {
  const values = (logprobs ?? []).flatMap((entry) => numberIn(entry as Loose, 'logprob') ?? [])
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}

function segmentOf(raw: unknown): Segment[] {
  const span = spanOf(raw)
  if (span === null) return []
  const { text, speaker } = raw as Loose
  return [
    {
      ...span,
      text: typeof text === 'string' ? text : '',
      speaker: typeof speaker === 'string' ? speaker : null,
      avgLogprob: numberIn(raw as Loose, 'avg_logprob'),
      noSpeechProb: numberIn(raw as Loose, 'no_speech_prob'),
    },
  ]
}

function wordOf(raw: unknown): Word[] {
  const span = spanOf(raw)
  const word = (raw as Loose | null)?.word
  return span === null || typeof word !== 'string' ? [] : [{ ...span, word }]
}

/** Seconds on the wire, whole milliseconds here; a span that runs backwards is none. */
function spanOf(raw: unknown): { start: Ms; end: Ms } | null {
  if (typeof raw !== 'object' || raw === null) return null
  const start = numberIn(raw as Loose, 'start')
  const end = numberIn(raw as Loose, 'end')
  if (start === null || end === null || start < 0 || end < start) return null
  return { start: ms(Math.round(start * 1_000)), end: ms(Math.round(end * 1_000)) }
}

function languageOf(raw: Loose): string | null {
  if (typeof raw.language === 'string') return raw.language.slice(0, 40)
  const first = listOf(raw.languages)?.[0] as Loose | undefined
  return typeof first?.code === 'string' ? first.code.slice(0, 40) : null
}

const listOf = (value: unknown): readonly unknown[] | null => (Array.isArray(value) ? value : null)

function numberIn(raw: Loose | null, key: string): number | null {
  const value = raw?.[key]
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
