/** Half the filter's length on the side with fewer samples; twice this many are weighed for each sample that comes out. */
const HALF_TAPS = 16
/** Share of the lower Nyquist frequency that passes; the rest is left for the filter's slope. */
const PASS = 0.94
/** Shape of the Kaiser window: what folds back stays some 80 dB below. */
const BETA = 8

/**
 * Changes the sample rate of a stream: a windowed sinc, weighed anew for each of the phases the two rates can have to each
 * other. What comes out is late by half the filter, under a millisecond at the rates of speech and sound cards.
 */
export class Resampler {
  /** Samples in for `#up` samples out: the ratio of the rates in lowest terms. */
  readonly #down: number
  readonly #up: number
  /** Samples on either side of the point in question that are weighed. */
  readonly #reach: number
  /** Weights, one row of 2 × reach for each phase. */
  readonly #weights: Float32Array
  /** The last samples that came in and are still needed, then room for more. */
  #kept: Float32Array
  #length: number
  /** Where the next sample lies: so many whole samples from the beginning of `#kept`, and so many phases. */
  #at: number
  #phase = 0

  constructor(fromRate: number, toRate: number) {
    const common = gcd(fromRate, toRate)
    this.#down = fromRate / common
    this.#up = toRate / common
    const stretch = Math.max(1, fromRate / toRate)
    this.#reach = Math.ceil(HALF_TAPS * stretch)
    this.#weights = weights(this.#up, this.#reach, PASS / stretch)
    // Silence before the beginning, so that the first sample out is the first one in.
    this.#length = this.#reach - 1
    this.#at = this.#reach - 1
    this.#kept = new Float32Array(4_096)
  }

  /** Most samples that `length` samples in can give. */
  most(length: number): number {
    return Math.ceil((length * this.#up) / this.#down) + 1
  }

  /** Takes samples in, writes what they give to `out`, and says how many that are. `out` must have room for `most`. */
  process(input: Float32Array, out: Float32Array): number {
    if (this.#length + input.length > this.#kept.length) this.#grow(input.length)
    this.#kept.set(input, this.#length)
    this.#length += input.length
    const taps = this.#reach * 2
    let written = 0
    while (this.#at + this.#reach < this.#length) {
      const from = this.#at - this.#reach + 1
      const row = this.#phase * taps
      let sum = 0
      for (let i = 0; i < taps; i++) sum += (this.#kept[from + i] as number) * (this.#weights[row + i] as number)
      out[written++] = sum
      this.#phase += this.#down
      this.#at += Math.floor(this.#phase / this.#up)
      this.#phase %= this.#up
    }
    const done = this.#at - this.#reach + 1
    if (done > 0) {
      this.#kept.copyWithin(0, done, this.#length)
      this.#length -= done
      this.#at -= done
    }
    return written
  }

  #grow(by: number): void {
    const larger = new Float32Array((this.#kept.length + by) * 2)
    larger.set(this.#kept)
    this.#kept = larger
  }
}

/** `cutoff`: as a share of the incoming rate's Nyquist frequency. */
function weights(phases: number, reach: number, cutoff: number): Float32Array {
  const taps = reach * 2
  const table = new Float32Array(phases * taps)
  for (let phase = 0; phase < phases; phase++) {
    let sum = 0
    for (let i = 0; i < taps; i++) {
      const distance = i - (reach - 1) - phase / phases
      const weight = sinc(cutoff * distance) * kaiser(distance / reach)
      table[phase * taps + i] = weight
      sum += weight
    }
    // Every phase lets a steady level through as it is, so that no hum comes of switching between them.
    for (let i = 0; i < taps; i++) table[phase * taps + i] = (table[phase * taps + i] as number) / sum
  }
  return table
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

function kaiser(x: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA)
}

/** The modified Bessel function of order zero. */
function bessel(x: number): number {
  let sum = 1
  let term = 1
  for (let k = 1; term > sum * 1e-10; k++) {
    term *= (x / (2 * k)) ** 2
    sum += term
  }
  return sum
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
