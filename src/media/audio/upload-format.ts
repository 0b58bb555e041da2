import type { PieceLimits } from '../prepared-audio.ts'
import { RATE, toSamples } from './samples.ts'

/** Most bytes a second of 16 kHz mono takes: FLAC falls back to the samples themselves and a header for each frame. */
const FLAC_AT_MOST = RATE * 2 + 400
/** Opus at 24 kbit/s and its container, with room for loud stretches; speech takes 2,800. */
const OPUS_AT_MOST = 5_000
/** Headers of the file. */
const HEADER = 16_384

export type UploadFormat = 'flac' | 'opus'

const fitting = (bytes: number, perSecond: number) => Math.floor(((bytes - HEADER) / perSecond) * RATE)

/** The longest piece that surely stays within both limits, samples. */
export function longestPiece(limits: PieceLimits, wanted: UploadFormat | 'auto'): number {
  const bySize = fitting(limits.bytes, wanted === 'flac' ? FLAC_AT_MOST : OPUS_AT_MOST)
  return Math.max(RATE, Math.min(toSamples(limits.duration), bySize))
}

/** FLAC costs a seventh of Opus to make and loses nothing, so it is taken wherever a piece surely fits. */
export function formatOf(samples: number, limits: PieceLimits, wanted: UploadFormat | 'auto'): UploadFormat {
  if (wanted !== 'auto') return wanted
  return samples <= fitting(limits.bytes, FLAC_AT_MOST) ? 'flac' : 'opus'
}
