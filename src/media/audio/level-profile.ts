import { RATE, type Region } from './samples.ts'

/** Samples per level: 10 ms. */
export const LEVEL_HOP = RATE / 100
/** A syllable's trough lasts about as long, in hops: 120 ms. */
const WINDOW = 12
/** Lowest level told apart, dB below full scale. */
const FLOOR_DB = -100

/** The quietest place of a stretch. */
export interface Trough {
  /** Its middle, samples. */
  readonly at: number
  /** Mean level of the 120 ms around it, dB below full scale. */
  readonly level: number
}

/** How loud a recording is every 10 ms, one byte each: 8.6 MB for a day. */
export class LevelProfile {
  #levels = new Uint8Array(60_000)
  #length = 0

  /** The mean square of the next 10 ms, of samples from -1 to 1. */
  push(meanSquare: number): void {
    if (this.#length === this.#levels.length) {
      const larger = new Uint8Array(this.#length * 2)
      larger.set(this.#levels)
      this.#levels = larger
    }
    const level = 10 * Math.log10(meanSquare + 1e-12)
    // Steps of half a decibel.
    this.#levels[this.#length++] = Math.round(2 * (Math.min(0, Math.max(FLOOR_DB, level)) - FLOOR_DB))
  }

  /** The 120 ms of a stretch with the lowest level, the later one of equals; the middle of a stretch too short for that. */
  quietest({ start, end }: Region): Trough {
    const first = Math.ceil(start / LEVEL_HOP)
    const last = Math.min(Math.floor(end / LEVEL_HOP), this.#length) - WINDOW
    if (last < first) return { at: Math.floor((start + end) / 2), level: 0 }
    let sum = 0
    for (let i = first; i < first + WINDOW; i++) sum += this.#levels[i] as number
    let best = { at: first, sum }
    for (let i = first + 1; i <= last; i++) {
      sum += (this.#levels[i + WINDOW - 1] as number) - (this.#levels[i - 1] as number)
      if (sum <= best.sum) best = { at: i, sum }
    }
    return { at: (best.at + WINDOW / 2) * LEVEL_HOP, level: best.sum / WINDOW / 2 + FLOOR_DB }
  }
}
