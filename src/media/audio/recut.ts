import type { Usage } from '../../meter/usage.ts'
import { type Ms, ms } from '../../units.ts'
import type { AudioPiece, PrepareAudio, PreparedAudio } from '../prepared-audio.ts'
import type { HeardPiece } from './merge-transcripts.ts'
import { composeMaps } from './time-map.ts'

/** Output tokens at which models of the gpt-4o family break off without a word (transcription.md §1.3), less a margin. */
const OUTPUT_CAP = 1_950
/** An answer with time stamps that leaves so much of the end of a piece unheard, ms and as a share, has broken off. */
const UNHEARD = { ms: 20_000, share: 0.15 }
/** Pieces shorter than this are not cut again: what breaks off so early will break off again, ms. */
const SHORTEST_RECUT = ms(20_000)

/**
 * Whether an answer stops although the piece goes on. A piece holds hardly any pause once silence is removed, so its last
 * words lie near its end. False for an answer without time stamps and without a count of tokens: nobody can tell.
 */
export function isCutShort(
  answer: HeardPiece & { readonly usage: Usage | null },
  piece: Pick<AudioPiece, 'duration'>,
): boolean {
  if (answer.usage !== null && !answer.usage.estimated) {
    const written = answer.usage.out.text + answer.usage.unsplitOut
    if (written >= OUTPUT_CAP) return true
  }
  const ends = [...(answer.words ?? []), ...(answer.segments ?? [])].map(({ end }) => end)
  if (ends.length === 0) return false
  const unheard = piece.duration - Math.max(...ends)
  return unheard > UNHEARD.ms && unheard > UNHEARD.share * piece.duration
}

/**
 * How to prepare the file of a piece so that it comes apart in two halves, at the quietest place near its middle; null for a
 * piece that is too short for that. Nothing is trimmed a second time.
 */
export function halving(piece: AudioPiece, options: PrepareAudio): PrepareAudio | null {
  if (piece.duration < SHORTEST_RECUT) return null
  // A little more than half, so that there is room to look for a quiet place.
  const duration = ms(Math.ceil(piece.duration * 0.6))
  return { ...options, trim: false, limits: { ...options.limits, duration, billedAtLeast: ms(0) } }
}

/** The halves of a piece as pieces of the recording: their maps lead straight to its line. */
export function halvesOf(piece: AudioPiece, halves: PreparedAudio): AudioPiece[] {
  return halves.pieces.map((half) => ({ ...half, map: composeMaps(piece.map, half.map) }))
}

/** A recording with one piece replaced by what it was cut into, numbered anew. */
export function withPieces(prepared: PreparedAudio, place: number, pieces: readonly AudioPiece[]): PreparedAudio {
  const all = prepared.pieces.flatMap((piece, i) => (i === place ? pieces : [piece]))
  return { ...prepared, kept: sumOf(all), pieces: all.map((piece, index) => ({ ...piece, index })) }
}

const sumOf = (pieces: readonly AudioPiece[]): Ms => ms(pieces.reduce((sum, { duration }) => sum + duration, 0))
