import type { Ms } from '../../units.ts'
import type { Transcript } from '../transcript.ts'

export type TranscriptFormat = 'json' | 'text' | 'srt' | 'vtt' | 'verbose_json' | 'diarized_json'

/** OpenAI's usage object, where the caller is told what was billed. */
export type TranscriptUsage =
  | { readonly type: 'duration'; readonly seconds: number }
  | {
      readonly type: 'tokens'
      readonly input_tokens: number
      readonly input_token_details?: { readonly text_tokens: number; readonly audio_tokens: number }
      readonly output_tokens: number
      readonly total_tokens: number
    }

export type Rendered =
  | { readonly kind: 'json'; readonly json: unknown }
  | { readonly kind: 'text'; readonly text: string; readonly mime: string }

export interface RenderOptions {
  /** Which time stamps `verbose_json` carries. */
  readonly timestamps?: readonly ('word' | 'segment')[]
  readonly usage?: TranscriptUsage | null
}

/** A transcript in one of OpenAI's shapes (transcription.md §1.2), times in seconds on the recording's own line. */
export function renderTranscript(
  transcript: Transcript,
  format: TranscriptFormat,
  options: RenderOptions = {},
): Rendered {
  const usage = options.usage == null ? {} : { usage: options.usage }
  switch (format) {
    case 'json':
      return { kind: 'json', json: { text: transcript.text, ...usage } }
    case 'verbose_json':
      return { kind: 'json', json: { ...verbose(transcript, options.timestamps ?? ['segment']), ...usage } }
    case 'diarized_json':
      return { kind: 'json', json: { ...diarized(transcript), ...usage } }
    case 'text':
      return { kind: 'text', text: `${transcript.text}\n`, mime: 'text/plain; charset=utf-8' }
    case 'srt':
      return { kind: 'text', text: srt(transcript), mime: 'application/x-subrip; charset=utf-8' }
    case 'vtt':
      return { kind: 'text', text: vtt(transcript), mime: 'text/vtt; charset=utf-8' }
  }
}

const seconds = (at: Ms): number => Math.round(at) / 1_000

function verbose(transcript: Transcript, timestamps: readonly ('word' | 'segment')[]): Record<string, unknown> {
  const { segments, words } = transcript
  return {
    task: 'transcribe',
    language: transcript.language === null ? '' : languageName(transcript.language),
    duration: seconds(transcript.duration),
    text: transcript.text,
    ...(timestamps.includes('word')
      ? { words: (words ?? []).map((word) => ({ word: word.word, ...stamps(word) })) }
      : {}),
    ...(timestamps.includes('segment')
      ? {
          segments: segments.map((segment, id) => ({
            id,
            // Where a segment begins in frames of 10 ms, as whisper counts.
            seek: Math.round(segment.start / 10),
            ...stamps(segment),
            text: segment.text,
            tokens: [],
            temperature: 0,
            avg_logprob: segment.avgLogprob ?? 0,
            compression_ratio: 1,
            no_speech_prob: segment.noSpeechProb ?? 0,
          })),
        }
      : {}),
  }
}

function diarized(transcript: Transcript): Record<string, unknown> {
  return {
    task: 'transcribe',
    duration: seconds(transcript.duration),
    text: transcript.text,
    segments: transcript.segments.map((segment, i) => ({
      type: 'transcript.text.segment',
      id: `seg_${i}`,
      ...stamps(segment),
      text: segment.text,
      speaker: segment.speaker ?? 'A',
    })),
  }
}

const stamps = ({ start, end }: { start: Ms; end: Ms }) => ({ start: seconds(start), end: seconds(end) })

function srt({ segments }: Transcript): string {
  return segments
    .map(
      (segment, i) => `${i + 1}\n${clock(segment.start, ',')} --> ${clock(segment.end, ',')}\n${cue(segment.text)}\n\n`,
    )
    .join('')
}

function vtt({ segments }: Transcript): string {
  const cues = segments.map(
    (segment) =>
      `${clock(segment.start, '.')} --> ${clock(segment.end, '.')}\n${cue(segment.text).replaceAll('-->', '→')}\n\n`,
  )
  return `WEBVTT\n\n${cues.join('')}`
}

/** An empty line would end a cue early. */
const cue = (text: string) => text.trim().replaceAll(/\s*\n\s*/g, '\n')

/** `HH:MM:SS,mmm`. */
function clock(at: Ms, point: ',' | '.'): string {
  const whole = Math.round(at)
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0')
  const [h, m, s] = [whole / 3_600_000, (whole / 60_000) % 60, (whole / 1_000) % 60]
  return `${two(h)}:${two(m)}:${two(s)}${point}${String(whole % 1_000).padStart(3, '0')}`
}

const NAMES = new Intl.DisplayNames(['en'], { type: 'language' })

/** `english` for `en`, as whisper tells it; anything else as it came. */
function languageName(code: string): string {
  if (!/^[a-z]{2,3}$/.test(code)) return code
  return NAMES.of(code)?.toLowerCase() ?? code
}
