import { type Ms, ms } from '../../units.ts'
import { type Region, toSamples } from './samples.ts'

/** When speech begins and ends, in the probabilities of a detector (reference: audio, the algorithm). */
export interface Hysteresis {
  /** A run holds every frame from here up… */
  readonly stays: number
  /** …and must reach this once. */
  readonly begins: number
  /** Shorter runs are clicks. */
  readonly shortest: Ms
}

/** Low on purpose: a missed word costs more than a second of noise. Measured on twelve conditions and real meetings. */
export const SILERO_HYSTERESIS: Hysteresis = { stays: 0.05, begins: 0.2, shortest: ms(60) }
/** WebRTC's detector says yes or no. */
export const WEBRTC_HYSTERESIS: Hysteresis = { stays: 1, begins: 1, shortest: ms(60) }

/** Frames in, runs of speech out. It keeps the runs alone, so a day of sound takes no more than its sentences. */
export class SpeechRuns {
  readonly runs: Region[] = []
  readonly #rule: Hysteresis
  #at = 0
  #start: number | null = null
  #hasBegun = false

  constructor(rule: Hysteresis) {
    this.#rule = rule
  }

  /** The probability that somebody speaks in the next `length` samples. */
  hear(probability: number, length: number): void {
    if (probability >= this.#rule.stays) {
      this.#start ??= this.#at
      this.#hasBegun ||= probability >= this.#rule.begins
    } else this.#close()
    this.#at += length
  }

  /** No more frames come; the sound ends at `total`, samples. */
  finish(total: number): readonly Region[] {
    this.#close()
    return this.runs
      .map(({ start, end }) => ({ start, end: Math.min(end, total) }))
      .filter(({ start, end }) => start < end)
  }

  #close(): void {
    const start = this.#start
    if (start !== null && this.#hasBegun && this.#at - start >= toSamples(this.#rule.shortest)) {
      this.runs.push({ start, end: this.#at })
    }
    this.#start = null
    this.#hasBegun = false
  }
}
