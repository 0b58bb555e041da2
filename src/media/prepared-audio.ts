import type { Ms } from '../units.ts'

/** What pieces may be at most; from the model that will hear them (transcription.md §1.3). */
export interface PieceLimits {
  /** Longest piece, ms of sound in it. */
  readonly duration: Ms
  readonly bytes: number
  /** Pieces shorter than this are billed as if they were as long, so they are joined where that loses nothing. */
  readonly billedAtLeast: Ms
}

export interface PrepareAudio {
  readonly trim: boolean
  readonly minGap: Ms
  readonly padding: Ms
  readonly engine: 'auto' | 'silero' | 'webrtc'
  readonly format: 'auto' | 'flac' | 'opus'
  readonly limits: PieceLimits
  /** Longest recording that is taken, ms. */
  readonly longest: Ms
}

/**
 * From a piece's time line to the recording's. Stretches in order: `out` begins in the piece, `source` in the recording, both
 * in samples at 16 kHz, and lasts `length`. Between two stretches lies what was cut.
 */
export interface Stretch {
  readonly out: number
  readonly source: number
  readonly length: number
}
export type TimeMap = readonly Stretch[]

export interface AudioPiece {
  /** From 0, in order of time. */
  readonly index: number
  /** File name inside the folder that was given. */
  readonly file: string
  readonly mime: 'audio/flac' | 'audio/ogg'
  readonly bytes: number
  /** Hex SHA-256 of the file: the same recording with the same options gives the same pieces. */
  readonly sha256: string
  readonly duration: Ms
  readonly map: TimeMap
}

export interface PreparedAudio {
  readonly source: Ms
  /** Sound in all the pieces. Zero and no pieces where nobody speaks. */
  readonly kept: Ms
  /** The engine that judged; `webrtc` also where the model could not run. */
  readonly engine: 'silero' | 'webrtc' | 'none'
  readonly channels: number
  readonly codec: string
  readonly pieces: readonly AudioPiece[]
}
