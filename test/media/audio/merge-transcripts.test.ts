import { expect, test } from 'vitest'
import { type HeardPiece, joinText, mergeTranscripts } from '../../../src/media/audio/merge-transcripts.ts'
import { halvesOf, halving, isCutShort, withPieces } from '../../../src/media/audio/recut.ts'
import { RATE } from '../../../src/media/audio/samples.ts'
import { mapOf, mappedLength } from '../../../src/media/audio/time-map.ts'
import type { AudioPiece, PrepareAudio, PreparedAudio } from '../../../src/media/prepared-audio.ts'
import { NO_TOKENS, NOTHING } from '../../../src/meter/usage.ts'
import { ms, seconds, tokens } from '../../../src/units.ts'

/** Seconds of the recording that are kept in each piece. */
function prepared(...pieces: (readonly [number, number])[][]): PreparedAudio {
  const made: AudioPiece[] = pieces.map((regions, index) => {
    const map = mapOf(regions.map(([start, end]) => ({ start: start * RATE, end: end * RATE })))
    const duration = ms((mappedLength(map) * 1_000) / RATE)
    return { index, file: `${index}.flac`, mime: 'audio/flac', bytes: 1, sha256: '', duration, map }
  })
  return { source: seconds(1_000), kept: ms(0), engine: 'silero', channels: 1, codec: 'pcm_s16le', pieces: made }
}

const silent: HeardPiece = { text: '', language: null, segments: null, words: null }
const segment = (start: number, end: number, text: string, speaker: string | null = null) => ({
  start: ms(start),
  end: ms(end),
  text,
  speaker,
  avgLogprob: -0.1,
  noSpeechProb: 0.01,
})

test('Q3 segments and words of all pieces come back on the line of the recording, in order', () => {
  const two = prepared(
    [
      [10, 20],
      [40, 50],
    ],
    [[100, 110]],
  )
  const first: HeardPiece = {
    text: ' Good morning.',
    language: 'en',
    segments: [segment(0, 2_000, ' Good'), segment(11_000, 12_000, ' morning.')],
    words: [
      { word: 'Good', start: ms(500), end: ms(900) },
      { word: 'morning', start: ms(9_900), end: ms(10_300) },
    ],
  }
  const second: HeardPiece = {
    text: 'Good bye.',
    language: 'en',
    segments: [segment(1_000, 2_000, 'Good bye.')],
    words: [],
  }
  const merged = mergeTranscripts(two, [first, second])
  expect(merged).toMatchObject({
    text: 'Good morning. Good bye.',
    language: 'en',
    duration: 1_000_000,
    incomplete: false,
  })
  expect(merged.segments.map(({ start, end }) => [start, end])).toEqual([
    [10_000, 12_000],
    [41_000, 42_000],
    [101_000, 102_000],
  ])
  expect(merged.words).toEqual([
    { word: 'Good', start: 10_500, end: 10_900 },
    { word: 'morning', start: 19_900, end: 20_000 },
  ])
})

test('Q3 a model without time stamps gives one segment for each piece, from its bounds', () => {
  const merged = mergeTranscripts(
    prepared(
      [
        [10, 20],
        [40, 50],
      ],
      [[100, 110]],
    ),
    [
      { ...silent, text: 'One.' },
      { ...silent, text: ' Two. ' },
    ],
  )
  expect(merged.words).toBeNull()
  expect(merged.segments.map(({ start, end, text }) => [start, end, text])).toEqual([
    [10_000, 50_000, 'One.'],
    [100_000, 110_000, 'Two.'],
  ])
})

test('Q3 voices keep their names; a letter of a later piece is told apart from the same letter of the first', () => {
  const voices = (...names: string[]): HeardPiece => ({
    ...silent,
    text: 'x',
    segments: names.map((name, i) => segment(i * 1_000, i * 1_000 + 500, 'x', name)),
  })
  const speakersOf = (pieces: number, ...answers: HeardPiece[]) =>
    mergeTranscripts(
      prepared(...Array.from({ length: pieces }, (_, i) => [[i * 10, i * 10 + 9] as const])),
      answers,
    ).segments.map(({ speaker }) => speaker)
  expect(speakersOf(1, voices('A', 'B'))).toEqual(['A', 'B'])
  expect(speakersOf(2, voices('A', 'Ada'), voices('A', 'Ada'))).toEqual(['A', 'Ada', 'A2', 'Ada'])
})

test('Q3 a piece without an answer leaves a transcript that says it is incomplete', () => {
  const merged = mergeTranscripts(prepared([[0, 9]], [[10, 19]]), [{ ...silent, text: 'One.' }, null])
  expect(merged).toMatchObject({ text: 'One.', incomplete: true })
  expect(mergeTranscripts(prepared([[0, 9]]), [{ ...silent, text: 'One.' }], new Set([0])).incomplete).toBe(true)
})

test('Q3 the language is that of most of the sound', () => {
  const german = { ...silent, text: 'Ja.', language: 'de' }
  const english = { ...silent, text: 'Yes.', language: 'en' }
  expect(mergeTranscripts(prepared([[0, 2]], [[10, 30]], [[40, 50]]), [german, english, german]).language).toBe('en')
})

test('Q3 texts are joined by a space, but for scripts that write none', () => {
  expect(joinText(['One.', '', ' two ', 'three'])).toBe('One. two three')
  expect(joinText(['今日は。', '明日は', 'OK'])).toBe('今日は。明日は OK')
})

const usage = (out: number) => ({ ...NOTHING, out: { ...NO_TOKENS, text: tokens(out) } })

test('Q3 an answer near the cap of tokens, or whose stamps stop early, was cut short', () => {
  const piece = { duration: seconds(400) }
  const ends = (at: number): HeardPiece => ({ ...silent, text: 'x', segments: [segment(0, at, 'x')] })
  expect(isCutShort({ ...silent, text: 'x', usage: usage(1_999) }, piece)).toBe(true)
  expect(isCutShort({ ...silent, text: 'x', usage: usage(1_500) }, piece)).toBe(false)
  expect(isCutShort({ ...ends(300_000), usage: null }, piece)).toBe(true)
  expect(isCutShort({ ...ends(390_000), usage: null }, piece)).toBe(false)
  expect(isCutShort({ ...ends(5_000), usage: null }, { duration: seconds(20) })).toBe(false)
})

test('Q3 a piece that is cut in half keeps the way of both halves to the recording', () => {
  const options: PrepareAudio = {
    trim: true,
    minGap: ms(300),
    padding: ms(250),
    engine: 'auto',
    format: 'auto',
    limits: { duration: seconds(480), bytes: 24_000_000, billedAtLeast: ms(10_000) },
    longest: seconds(36_000),
  }
  const whole = prepared(
    [[0, 9]],
    [
      [10, 30],
      [50, 70],
    ],
    [[90, 99]],
  )
  const [, piece] = whole.pieces as [AudioPiece, AudioPiece, AudioPiece]
  expect(halving(piece, options)).toMatchObject({ trim: false, limits: { duration: 24_000, billedAtLeast: 0 } })
  expect(halving({ ...piece, duration: seconds(10) }, options)).toBeNull()
  const mended = withPieces(whole, 1, halvesOf(piece, prepared([[0, 22]], [[22, 40]])))
  expect(mended.pieces.map(({ index }) => index)).toEqual([0, 1, 2, 3])
  expect(mended.pieces[1]?.map).toEqual(
    mapOf([
      { start: 10 * RATE, end: 30 * RATE },
      { start: 50 * RATE, end: 52 * RATE },
    ]),
  )
  expect(mended.pieces[2]?.map).toEqual(mapOf([{ start: 52 * RATE, end: 70 * RATE }]))
})
