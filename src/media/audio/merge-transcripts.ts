import { type Ms, ms } from '../../units.ts'
import type { AudioPiece, PreparedAudio } from '../prepared-audio.ts'
import type { Span, Transcript, TranscriptSegment, TranscriptWord } from '../transcript.ts'
import { boundsOf, spanToSource, wordToSource } from './time-map.ts'

/** What was heard in one piece, with times on the piece's own line: the part of a provider's answer that is needed here. */
export interface HeardPiece {
  readonly text: string
  readonly language: string | null
  readonly segments: readonly HeardSegment[] | null
  readonly words: readonly (Span & { readonly word: string })[] | null
}

export interface HeardSegment extends Span {
  readonly text: string
  readonly speaker: string | null
  readonly avgLogprob: number | null
  readonly noSpeechProb: number | null
}

/**
 * One transcript out of the answers to all pieces, on the recording's own time line. `answers` stand in the order of
 * `prepared.pieces`; null for a piece whose answer could not be had, which makes the transcript incomplete. `cutShort`: places
 * of pieces whose answer broke off and could not be mended.
 */
export function mergeTranscripts(
  prepared: PreparedAudio,
  answers: readonly (HeardPiece | null)[],
  cutShort: ReadonlySet<number> = new Set(),
): Transcript {
  const heard = prepared.pieces.map((piece, i) => ({ piece, answer: answers[i] ?? null, place: i }))
  const spoken = heard.flatMap(({ piece, answer, place }) => (answer === null ? [] : [{ piece, answer, place }]))
  const voices = spoken.filter(({ answer }) => answer.segments?.some(({ speaker }) => speaker !== null)).length
  const segments = spoken.flatMap(({ piece, answer, place }) => segmentsOf(piece, answer, voices > 1 ? place : 0))
  const words = spoken.flatMap(({ piece, answer }) => wordsOf(piece, answer))
  const hasWords = spoken.some(({ answer }) => answer.words !== null)
  return {
    text: joinText(spoken.map(({ answer }) => answer.text)),
    language: mostHeard(spoken.map(({ piece, answer }) => [answer.language, piece.duration])),
    duration: prepared.source,
    segments: segments.sort((a, b) => a.start - b.start),
    words: hasWords ? words.sort((a, b) => a.start - b.start) : null,
    incomplete: heard.some(({ answer }) => answer === null) || cutShort.size > 0,
  }
}

function segmentsOf(piece: AudioPiece, answer: HeardPiece, place: number): TranscriptSegment[] {
  if (answer.segments === null) {
    if (answer.text.trim() === '') return []
    const whole = { text: answer.text.trim(), speaker: null, avgLogprob: null, noSpeechProb: null }
    return [{ ...boundsOf(piece.map), ...whole }]
  }
  return answer.segments.map((segment) => ({
    ...segment,
    ...spanToSource(piece.map, segment),
    speaker: voiceOf(segment.speaker, place),
  }))
}

function wordsOf(piece: AudioPiece, answer: HeardPiece): TranscriptWord[] {
  return (answer.words ?? []).map((word) => ({ word: word.word, ...wordToSource(piece.map, word) }))
}

/**
 * Models letter the voices of each piece anew, so that A of one piece need not be A of the next: from the second piece on
 * a letter carries the piece's number. Names the caller gave are the same everywhere and stay as they are.
 */
function voiceOf(speaker: string | null, place: number): string | null {
  return speaker !== null && place > 0 && /^[A-Z]{1,2}$/.test(speaker) ? `${speaker}${place + 1}` : speaker
}

/** Pieces were cut in pauses, so their texts are joined by a space, but for scripts that write none. */
export function joinText(texts: readonly string[]): string {
  let joined = ''
  for (const text of texts.map((one) => one.trim())) {
    if (text === '') continue
    const isSpaced = joined !== '' && !(UNSPACED.test(joined.at(-1) ?? '') && UNSPACED.test(text[0] ?? ''))
    joined += isSpaced ? ` ${text}` : text
  }
  return joined
}

const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\u3000-\u303f\uff00-\uffef]/u

/** The language of most of the sound. */
function mostHeard(pieces: readonly (readonly [language: string | null, length: Ms])[]): string | null {
  const lengths = new Map<string, number>()
  for (const [language, length] of pieces) {
    if (language !== null) lengths.set(language, (lengths.get(language) ?? 0) + length)
  }
  const [first] = [...lengths].sort((a, b) => b[1] - a[1])
  return first?.[0] ?? null
}

/** The transcript of a recording in which nobody speaks. */
export function emptyTranscript(duration: Ms): Transcript {
  return { text: '', language: null, duration: ms(duration), segments: [], words: null, incomplete: false }
}
