import { Resampler } from '../resampler.ts'
import type { Captured } from './messages.ts'

/** One piece, samples at 24 kHz: 40 ms. Shorter ones cost more messages, longer ones delay the end of each turn. */
const PIECE = 960
const RATE = 24_000

/** Takes the microphone's sound as the sound card gives it, and hands it on at 24 kHz in even pieces. */
export class CaptureProcessor extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, RATE)
  #resampled = new Float32Array(this.#resampler.most(1_024))
  #mono = new Float32Array(128)
  #piece = new Int16Array(PIECE)
  #filled = 0
  #power = 0

  override process([input = []]: Float32Array[][]): boolean {
    const sound = this.#mix(input)
    if (sound === null) return true
    const most = this.#resampler.most(sound.length)
    if (most > this.#resampled.length) this.#resampled = new Float32Array(most)
    const count = this.#resampler.process(sound, this.#resampled)
    for (let i = 0; i < count; i++) this.#take(this.#resampled[i] as number)
    return true
  }

  /** One channel of however many; null while the microphone gives nothing yet. */
  #mix(channels: Float32Array[]): Float32Array | null {
    const [first, second] = channels
    if (first === undefined || second === undefined) return first ?? null
    if (this.#mono.length !== first.length) this.#mono = new Float32Array(first.length)
    for (let i = 0; i < first.length; i++) this.#mono[i] = ((first[i] as number) + (second[i] as number)) / 2
    return this.#mono
  }

  #take(sample: number): void {
    this.#power += sample * sample
    this.#piece[this.#filled++] = Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768)))
    if (this.#filled < PIECE) return
    const message: Captured = { samples: this.#piece, level: Math.sqrt(this.#power / PIECE) }
    this.port.postMessage(message, [this.#piece.buffer])
    this.#piece = new Int16Array(PIECE)
    this.#filled = 0
    this.#power = 0
  }
}
