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
  /** A run that reaches `peak` and is `mean` on the whole is speech for sure; any other counts only so near to one that is. */
  readonly sure: { readonly peak: number; readonly mean: number; readonly near: Ms }
}

/**
 * Low on purpose: a missed word costs more than a second of noise. But whoever speaks is heard clearly sooner or later, while
 * an instrument is taken for a faint voice now and then. Measured on twelve conditions and real meetings.
 */
export const SILERO_HYSTERESIS: Hysteresis = {
  stays: 0.05,
  begins: 0.2,
  shortest: ms(60),
  sure: { peak: 0.5, mean: 0.3, near: ms(2_000) },
}
/** WebRTC's detector says yes or no. */
export const WEBRTC_HYSTERESIS: Hysteresis = {
  stays: 1,
  begins: 1,
  shortest: ms(60),
  sure: { peak: 1, mean: 1, near: ms(0) },
}

interface Run extends Region {
  readonly isSure: boolean
}

/** Frames in, runs of speech out. It keeps the runs alone, so a day of sound takes no more than its sentences. */
export class SpeechRuns {
  readonly #runs: Run[] = []
  readonly #rule: Hysteresis
  #at = 0
  #start: number | null = null
  #peak = 0
  /** Of the run's probabilities, each as often as it has samples. */
  #sum = 0

  constructor(rule: Hysteresis) {
    this.#rule = rule
  }

  /** The probability that somebody speaks in the next `length` samples. */
  hear(probability: number, length: number): void {
    if (probability >= this.#rule.stays) {
      this.#start ??= this.#at
      this.#peak = Math.max(this.#peak, probability)
      this.#sum += probability * length
    } else this.#close()
    this.#at += length
  }

  /** No more frames come; the sound ends at `total`, samples. */
  finish(total: number): readonly Region[] {
    this.#close()
    return this.#trusted()
      .map(({ start, end }) => ({ start, end: Math.min(end, total) }))
      .filter(({ start, end }) => start < end)
  }

  /** Without the faint runs that stand alone; all of them where nobody is heard clearly at all. */
  #trusted(): readonly Run[] {
    const near = toSamples(this.#rule.sure.near)
    const sure = this.#runs.filter(({ isSure }) => isSure)
    if (sure.length === 0) return this.#runs
    let next = 0
    return this.#runs.filter(({ start, end }) => {
      while (next < sure.length && (sure[next] as Run).end < start - near) next++
      const nearest = sure[next]
      return nearest !== undefined && nearest.start - end <= near
    })
  }

  #close(): void {
    const { begins, shortest, sure } = this.#rule
    const start = this.#start
    const length = this.#at - (start ?? this.#at)
    if (start !== null && this.#peak >= begins && length >= toSamples(shortest)) {
      const isSure = this.#peak >= sure.peak && this.#sum >= sure.mean * length
      this.#runs.push({ start, end: this.#at, isSure })
    }
    this.#start = null
    this.#peak = 0
    this.#sum = 0
  }
}
