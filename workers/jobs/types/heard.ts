import type { TranscriptionAnswer } from '../../../src/calls/media-provider.ts'
import type { HeardPiece } from '../../../src/media/audio/merge-transcripts.ts'
import type { AudioPiece } from '../../../src/media/prepared-audio.ts'
import type { Bill } from './bill.ts'

/** What was heard in a piece, or in each half of one whose answer had broken off. */
export interface HeardHalf {
  readonly piece: AudioPiece
  readonly answer: HeardPiece
  /** It still breaks off. */
  readonly isCut: boolean
}

/** Everything that one part of a transcription has come to, as it lies in the job's folder. */
export interface HeardPart {
  readonly halves: readonly HeardHalf[]
  readonly bill: Bill
}

/** The part of an answer that a transcript is made of. */
export function heardIn({ text, language, segments, words }: TranscriptionAnswer): HeardPiece {
  return { text, language, segments, words }
}
