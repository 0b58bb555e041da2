import { describe, expect, test } from 'vitest'
import { Resampler } from '../../src/widget/resampler.ts'

/** `length` samples of a tone. */
function tone(hertz: number, rate: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / rate))
}

/** Runs samples through in pieces, as a sound card gives them. */
function run(from: number, to: number, input: Float32Array, piece = 128): Float32Array {
  const resampler = new Resampler(from, to)
  const parts: number[] = []
  const out = new Float32Array(resampler.most(piece))
  for (let at = 0; at < input.length; at += piece) {
    const count = resampler.process(input.subarray(at, at + piece), out)
    expect(count).toBeLessThanOrEqual(resampler.most(piece))
    parts.push(...out.subarray(0, count))
  }
  return Float32Array.from(parts)
}

/** How loud what differs from the tone that was meant is, dB below it; ends are left out. */
function error(got: Float32Array, meant: Float32Array): number {
  let signal = 0
  let noise = 0
  for (let i = 200; i < got.length - 200; i++) {
    const want = meant[i] as number
    signal += want ** 2
    noise += ((got[i] as number) - want) ** 2
  }
  return 10 * Math.log10(noise / signal)
}

const RATES = [8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]

describe('changing the sample rate', () => {
  test.each(RATES)('V1 speech from %i Hz to 24 kHz and back keeps its wave', (rate) => {
    const hertz = Math.min(3_000, rate / 4)
    const down = run(rate, 24_000, tone(hertz, rate, rate / 2))
    expect(error(down, tone(hertz, 24_000, down.length))).toBeLessThan(-60)
    const up = run(24_000, rate, tone(hertz, 24_000, 12_000))
    expect(error(up, tone(hertz, rate, up.length))).toBeLessThan(-60)
  })

  test.each([44_100, 48_000, 96_000])(
    'V1 nothing that 24 kHz cannot hold is heard as something else (%i Hz)',
    (rate) => {
      const folded = run(rate, 24_000, tone(15_000, rate, rate / 2)).subarray(200)
      expect(Math.max(...folded.map(Math.abs))).toBeLessThan(0.5 * 10 ** (-60 / 20))
    },
  )

  test('V1 the pieces in which it comes make no difference', () => {
    const input = tone(440, 44_100, 10_000)
    const whole = run(44_100, 24_000, input, 10_000)
    for (const piece of [1, 7, 128, 441]) expect(run(44_100, 24_000, input, piece)).toEqual(whole)
  })

  test('V1 as much comes out as goes in, and it is late by no more than half the filter', () => {
    const out = run(48_000, 24_000, new Float32Array(48_000))
    expect(out.length).toBeGreaterThan(24_000 - 20)
    expect(out.length).toBeLessThanOrEqual(24_000)
  })

  test('V1 a steady level stays steady', () => {
    const out = run(44_100, 24_000, new Float32Array(5_000).fill(0.25)).subarray(100)
    for (const sample of out) expect(sample).toBeCloseTo(0.25, 5)
  })
})
