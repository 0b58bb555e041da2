import { type Ms, ms } from '../../units.ts'

/** Everything here is counted in samples of this rate, Hz: what detectors and recognisers listen to. */
export const RATE = 16_000

/** A stretch of sound: first sample, and the first one after it. */
export interface Region {
  readonly start: number
  readonly end: number
}

export const toMs = (samples: number): Ms => ms((samples * 1_000) / RATE)
export const toSamples = (length: Ms): number => Math.round((length * RATE) / 1_000)
export const lengthOf = ({ start, end }: Region): number => end - start
