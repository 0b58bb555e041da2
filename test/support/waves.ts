import { Resampler } from '../../src/widget/resampler.ts'

/** 24 kHz PCM16 at another rate, as floats, after `lead` samples (of 24 kHz) of silence. */
export function atRate(pcm: Int16Array, rate: number, lead = 0): Float32Array {
  const resampler = new Resampler(24_000, rate)
  // A little silence at the end, so that nothing of it stays in the filter.
  const input = new Float32Array(lead + pcm.length + 64)
  for (let i = 0; i < pcm.length; i++) input[lead + i] = (pcm[i] as number) / 32_768
  const out = new Float32Array(resampler.most(input.length))
  const count = resampler.process(input, out)
  return out.subarray(0, count)
}

/** Samples louder than the least that counts as sound. */
const AUDIBLE = 1e-4

/** First and one past the last audible sample; null for silence. */
export function audible(samples: Float32Array): { from: number; to: number } | null {
  const from = samples.findIndex((sample) => Math.abs(sample) > AUDIBLE)
  if (from < 0) return null
  return { from, to: samples.findLastIndex((sample) => Math.abs(sample) > AUDIBLE) + 1 }
}

/** Where in `samples` a piece of `wave` fits best, looked for around `near`, and how well: 1 is the same wave. */
function bestFit(samples: Float32Array, piece: Float32Array, near: number, reach: number) {
  let best = { at: near, likeness: -1 }
  for (let at = Math.max(0, near - reach); at <= near + reach; at++) {
    const likeness = correlation(samples, at, piece)
    if (likeness > best.likeness) best = { at, likeness }
  }
  return best
}

/** Delays, samples at 24 kHz, whose fractions at 44.1 kHz lie at most a sixth of a sample apart. */
const LEADS = [0, 1, 2, 3, 4, 5]

/**
 * What should have been played, and how much later it was, samples. A sound card of another rate meets a wave at moments
 * that differ by a fraction of a sample from one conversation to the next, which hisses are unlike by: the wave comes in
 * the one of some such delays that fits best. `length` of the loudest pieces it is found by, samples.
 */
export function asPlayed(samples: Float32Array, pcm: Int16Array, rate: number, length: number) {
  const played = audible(samples)?.from ?? 0
  const fits = LEADS.map((lead) => {
    const meant = atRate(pcm, rate, lead)
    const loudest = loudestPiece(meant, length)
    const near = played - (audible(meant)?.from ?? 0) + loudest
    const shift = bestFit(samples, meant.subarray(loudest, loudest + length), near, rate / 4).at - loudest
    return { meant, shift, likeness: correlation(samples, shift, meant) }
  })
  return fits.reduce((best, one) => (one.likeness > best.likeness ? one : best))
}

function loudestPiece(samples: Float32Array, length: number): number {
  let best = 0
  for (let at = 0; at + length <= samples.length; at += length) {
    if (power(samples.subarray(at, at + length)) > power(samples.subarray(best, best + length))) best = at
  }
  return best
}

export function correlation(samples: Float32Array, at: number, piece: Float32Array): number {
  let product = 0
  let a = 0
  let b = 0
  for (let i = 0; i < piece.length; i++) {
    const x = samples[at + i] ?? 0
    const y = piece[i] as number
    product += x * y
    a += x * x
    b += y * y
  }
  return a === 0 || b === 0 ? 0 : product / Math.sqrt(a * b)
}

export function power(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length))
}

/** The largest bend from one sample to the next: what a click is made of. */
export function sharpest(samples: Float32Array): number {
  let most = 0
  for (let i = 2; i < samples.length; i++) {
    const bend = Math.abs((samples[i] as number) - 2 * (samples[i - 1] as number) + (samples[i - 2] as number))
    most = Math.max(most, bend)
  }
  return most
}
