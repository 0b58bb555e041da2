import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FADE, JitterBuffer, type News } from '../../src/widget/jitter-buffer.ts'

/** The worst for clicks: a level that is all there or not there. */
const level = (length: number, value = 16_384) => new Int16Array(length).fill(value)

function pull(buffer: JitterBuffer, length: number): Float32Array {
  const out = new Float32Array(length)
  buffer.pull(out)
  return out
}

const types = (news: readonly News[]) => news.map(({ type }) => type)
/** The largest step from one sample to the next, beginning from silence. */
function largestStep(samples: Float32Array): number {
  return samples.reduce((most, sample, i) => Math.max(most, Math.abs(sample - (samples[i - 1] ?? 0))), 0)
}
/** No fade is steeper: a level of one half over 64 samples, and half as much again where its edges are rounded. */
const SOFT = (0.5 / FADE) * 1.6

describe('the jitter buffer', () => {
  test('V1 speech waits for 60 ms of itself, then is played as it came', () => {
    const buffer = new JitterBuffer()
    buffer.push('a', level(1_439))
    expect(Math.max(...pull(buffer, 128))).toBe(0)
    buffer.push('a', level(1_000))
    const out = pull(buffer, 2_000)
    expect(out.subarray(FADE, 2_000).every((sample) => sample === 0.5)).toBe(true)
    expect(types(buffer.takeNews())).toEqual(['sounding'])
  })

  test('V1 what is shorter than that is played once it is known to be all', () => {
    const buffer = new JitterBuffer()
    buffer.push('a', level(300))
    expect(Math.max(...pull(buffer, 128))).toBe(0)
    buffer.finish('a')
    expect(Math.max(...pull(buffer, 128))).toBe(0.5)
    pull(buffer, 300)
    expect(types(buffer.takeNews())).toEqual(['sounding', 'quiet'])
  })

  test('V1 running dry is not heard as a click, and the next wait is longer', () => {
    const buffer = new JitterBuffer()
    buffer.push('a', level(2_000))
    const first = pull(buffer, 2_200)
    buffer.push('a', level(2_000))
    const silent = pull(buffer, 128)
    buffer.push('a', level(1_000))
    const second = pull(buffer, 1_000)
    expect(largestStep(Float32Array.of(...first, ...silent, ...second))).toBeLessThan(SOFT)
    expect(Math.max(...silent)).toBe(0)
    expect(Math.max(...second)).toBe(0.5)
    expect(types(buffer.takeNews())).toEqual(['sounding', 'dry', 'sounding'])
  })

  test('V1 a cut is silence within one fade, and says what was heard', () => {
    const buffer = new JitterBuffer()
    buffer.push('a', level(5_000))
    buffer.push('b', level(5_000))
    const before = pull(buffer, 1_000)
    expect(buffer.cut()).toEqual([
      { itemId: 'a', samples: 1_000 + FADE },
      { itemId: 'b', samples: 0 },
    ])
    const after = pull(buffer, 200)
    expect(Math.max(...after.subarray(FADE))).toBe(0)
    expect(largestStep(Float32Array.of(...before, ...after))).toBeLessThan(SOFT)
    expect(buffer.available).toBe(0)
  })

  test('V1 what has not been heard at all is cut to nothing', () => {
    const buffer = new JitterBuffer()
    buffer.push('a', level(500))
    expect(buffer.cut()).toEqual([{ itemId: 'a', samples: 0 }])
    expect(Math.max(...pull(buffer, 600))).toBe(0)
  })

  test('V1 one item follows another without a gap', () => {
    const buffer = new JitterBuffer()
    buffer.push('a', level(2_000))
    buffer.finish('a')
    buffer.push('b', level(2_000))
    expect(
      pull(buffer, 3_900)
        .subarray(FADE)
        .every((sample) => sample === 0.5),
    ).toBe(true)
  })

  test('V1 whatever comes and whenever it is cut: no click, nothing lost, nothing twice', () => {
    const act = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 4_000 }), item: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ pull: fc.integer({ min: 1, max: 2_000 }) }),
      fc.record({ finish: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ cut: fc.constant(true) }),
    )
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const buffer = new JitterBuffer()
        const heard: Float32Array[] = []
        let pushed = 0
        let cut = 0
        for (const one of acts) {
          if ('push' in one) {
            buffer.push(one.item, level(one.push))
            pushed += one.push
          } else if ('pull' in one) heard.push(pull(buffer, one.pull))
          else if ('finish' in one) buffer.finish(one.finish)
          else {
            const before = buffer.available
            buffer.cut()
            cut += before - buffer.available
            expect(buffer.available).toBeLessThanOrEqual(FADE)
          }
        }
        const all = Float32Array.of(...heard.flatMap((piece) => [...piece]))
        expect(largestStep(all)).toBeLessThan(SOFT)
        expect(all.filter((sample) => sample > 0).length).toBeLessThanOrEqual(pushed - cut - buffer.available)
      }),
      { numRuns: 500 },
    )
  })
})
