import { JitterBuffer } from '../jitter-buffer.ts'
import { Resampler } from '../resampler.ts'
import type { FromPlayback, ToPlayback } from './messages.ts'

const RATE = 24_000
/** Samples at 24 kHz taken at a time: half of what one call of the sound card at 48 kHz needs. */
const STEP = 32
/** How often the level is told, samples at 24 kHz: every 40 ms. */
const LEVEL_EVERY = 960

/** Gives the speaker what the jitter buffer has, at the sound card's own rate. */
export class PlaybackProcessor extends AudioWorkletProcessor {
  readonly #buffer = new JitterBuffer()
  readonly #resampler = new Resampler(RATE, sampleRate)
  readonly #step = new Float32Array(STEP)
  /** Resampled and not yet played. */
  readonly #ready: Float32Array
  #count = 0
  /** Pieces that have come. */
  #received = 0
  #power = 0
  #measured = 0

  constructor() {
    super()
    this.#ready = new Float32Array(this.#resampler.most(STEP) + 4_096)
    this.port.onmessage = ({ data }: MessageEvent<ToPlayback>) => {
      if (data.type === 'play') {
        this.#received++
        this.#buffer.push(data.itemId, data.samples)
      } else if (data.type === 'finish') this.#buffer.finish(data.itemId)
      else this.#tell({ type: 'was_cut', heard: this.#buffer.cut() })
    }
  }

  override process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [first, ...others] = outputs[0] ?? []
    if (first === undefined) return true
    while (this.#count < first.length) this.#advance()
    first.set(this.#ready.subarray(0, first.length))
    for (const other of others) other.set(first)
    this.#ready.copyWithin(0, first.length, this.#count)
    this.#count -= first.length
    for (const news of this.#buffer.takeNews()) this.#tell({ ...news, received: this.#received })
    return true
  }

  #advance(): void {
    this.#buffer.pull(this.#step)
    for (const sample of this.#step) this.#power += sample * sample
    this.#count += this.#resampler.process(this.#step, this.#ready.subarray(this.#count))
    this.#measured += STEP
    if (this.#measured < LEVEL_EVERY) return
    this.#tell({ type: 'level', level: Math.sqrt(this.#power / this.#measured) })
    this.#measured = 0
    this.#power = 0
  }

  #tell(message: FromPlayback): void {
    this.port.postMessage(message)
  }
}
