import type { AudioFormat } from './detector.ts'

/** The detector's own rate, Hz, and the length of one frame in samples: 30 ms. */
export const RATE = 16_000
export const FRAME = 480

/** Turns base64 pieces of any of the protocol's formats into 30 ms frames of 16 kHz mono, as floats from -1 to 1. */
export class Framer {
  readonly #format: AudioFormat
  readonly #step: number
  #frame = new Float32Array(FRAME)
  #filled = 0
  /** Where the next output sample lies between the last two input samples, 0 to 1 and beyond. */
  #phase = 0
  #last = 0
  /** Base64 characters and bytes that did not make a whole sample yet. */
  #restOfText = ''
  #restOfBytes: Buffer = Buffer.alloc(0)

  constructor(format: AudioFormat) {
    this.#format = format
    this.#step = format.rate / RATE
  }

  /** Whole frames that this piece completes. Each is the caller's to keep. */
  push(base64: Buffer): Float32Array[] {
    const text = this.#restOfText + base64.toString('latin1')
    const usable = text.endsWith('=') ? text.length : text.length - (text.length % 4)
    this.#restOfText = text.slice(usable)
    const bytes = Buffer.concat([this.#restOfBytes, Buffer.from(text.slice(0, usable), 'base64')])
    const frames: Float32Array[] = []
    if (this.#format.encoding === 'pcm16') {
      const whole = bytes.length & ~1
      for (let i = 0; i < whole; i += 2) this.#sample(bytes.readInt16LE(i) / 32_768, frames)
      this.#restOfBytes = bytes.subarray(whole)
    } else {
      const table = this.#format.encoding === 'pcmu' ? MU_LAW : A_LAW
      for (const byte of bytes) this.#sample(table[byte] ?? 0, frames)
      this.#restOfBytes = Buffer.alloc(0)
    }
    return frames
  }

  /** Linear interpolation: enough for a detector that looks at the energy of speech. */
  #sample(value: number, frames: Float32Array[]): void {
    while (this.#phase < 1) {
      this.#frame[this.#filled++] = this.#last + (value - this.#last) * this.#phase
      this.#phase += this.#step
      if (this.#filled === FRAME) {
        frames.push(this.#frame)
        this.#frame = new Float32Array(FRAME)
        this.#filled = 0
      }
    }
    this.#phase -= 1
    this.#last = value
  }
}

/** Level of a frame after pre-emphasis, which takes hum and rumble out, in dB below full scale. */
export function levelDb(frame: Float32Array, previous: number): number {
  let sum = 0
  let last = previous
  for (const sample of frame) {
    const emphasized = sample - 0.97 * last
    sum += emphasized * emphasized
    last = sample
  }
  return 10 * Math.log10(sum / frame.length + 1e-12)
}

/** ITU-T G.711, both laws, as tables from a byte to a sample of -1 to 1. */
const MU_LAW = Float32Array.from({ length: 256 }, (_, code) => {
  const u = ~code & 0xff
  const magnitude = (((u & 0x0f) << 3) + 0x84) << ((u & 0x70) >> 4)
  return (u & 0x80 ? 0x84 - magnitude : magnitude - 0x84) / 32_768
})
const A_LAW = Float32Array.from({ length: 256 }, (_, code) => {
  const a = code ^ 0x55
  const exponent = (a & 0x70) >> 4
  const base = ((a & 0x0f) << 4) + (exponent === 0 ? 8 : 0x108)
  const magnitude = exponent === 0 ? base : base << (exponent - 1)
  return (a & 0x80 ? magnitude : -magnitude) / 32_768
})
