import { createHash } from 'node:crypto'

/** One word and when it is said, seconds. */
export interface Word {
  word: string
  start: number
  end: number
}

export interface Segment {
  start: number
  end: number
  text: string
  words: Word[]
  speaker: string
}

/** What a recording "says": the same for the same bytes. */
export interface Heard {
  /** Seconds, to the millisecond. */
  duration: number
  text: string
  segments: Segment[]
}

const WORDS = (
  'morning order river window letter seven market garden yellow engine paper silver under table music winter ' +
  'green station almost never quiet ladder orange bridge number water simple summer doctor listen always candle ' +
  'forest travel little answer corner minute second planet copper button animal season record monday friday over'
).split(' ')
/** A calm speaker. */
const WORDS_PER_SECOND = 2.5
const WORDS_PER_SEGMENT = 12
/** More words than a model of the 4o family can write in its 2,000 tokens: then the answer is cut without a word. */
const MOST_WORDS = 1_500

/**
 * A transcript made of nothing but the recording itself: its words follow from the file's hash, their number and times from
 * its length. `isCut`: the answer stops half way, as models do at the end of their output. `most`: words at most.
 */
export function transcriptOf(file: Buffer, lengthMs: number, { isCut = false, most = MOST_WORDS } = {}): Heard {
  const duration = Math.round(lengthMs) / 1_000
  const count = Math.max(1, Math.round(duration * WORDS_PER_SECOND))
  const hash = createHash('sha256').update(file).digest()
  const slot = duration / count
  const second = (n: number) => Math.round(n * 1_000) / 1_000
  const said = Math.min(most, isCut ? Math.ceil(count / 2) : count)
  const words: Word[] = Array.from({ length: said }, (_, i) => {
    const pick = (hash[i % 32] as number) + i * 7
    return { word: WORDS[pick % WORDS.length] as string, start: second(i * slot), end: second((i + 0.8) * slot) }
  })
  const segments: Segment[] = []
  for (let i = 0; i < words.length; i += WORDS_PER_SEGMENT) {
    const part = words.slice(i, i + WORDS_PER_SEGMENT)
    const [first, last] = [part[0] as Word, part.at(-1) as Word]
    segments.push({
      start: first.start,
      end: last.end,
      text: part.map(({ word }) => word).join(' '),
      words: part,
      speaker: segments.length % 2 === 0 ? 'A' : 'B',
    })
  }
  return { duration, text: segments.map(({ text }) => text).join(' '), segments }
}

/** How sure the "model" is: a mean log probability that follows from the words, or one that asks for a second opinion. */
export function confidenceOf(file: Buffer, isUnsure: boolean): number {
  const [byte = 0] = createHash('sha256').update(file).digest()
  return isUnsure ? -1.2 : -0.05 - byte / 1_275
}

/** SubRip or WebVTT of the segments. */
export function subtitles({ segments }: Heard, format: 'srt' | 'vtt'): string {
  const mark = format === 'srt' ? ',' : '.'
  const clock = (seconds: number) => {
    const total = Math.round(seconds * 1_000)
    const pad = (n: number, digits = 2) => String(Math.floor(n)).padStart(digits, '0')
    return `${pad(total / 3_600_000)}:${pad((total / 60_000) % 60)}:${pad((total / 1_000) % 60)}${mark}${pad(total % 1_000, 3)}`
  }
  const blocks = segments.map(({ start, end, text }, i) => {
    const lines = `${clock(start)} --> ${clock(end)}\n${text}\n`
    return format === 'srt' ? `${i + 1}\n${lines}` : lines
  })
  return `${format === 'vtt' ? 'WEBVTT\n\n' : ''}${blocks.join('\n')}\n`
}
