import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutPoints } from '../../../src/media/audio/cut-points.ts'
import { keepAll, keepSpeech } from '../../../src/media/audio/keep-speech.ts'
import { PIECE, partRegions, planCuts } from '../../../src/media/audio/plan-pieces.ts'
import { lengthOf, RATE, type Region } from '../../../src/media/audio/samples.ts'
import { SILERO_HYSTERESIS, SpeechRuns } from '../../../src/media/audio/speech-runs.ts'
import { ms } from '../../../src/units.ts'
import { levelsOf, recording } from '../../support/audio-arbitraries.ts'

const CHUNK = 512
const sum = (regions: readonly Region[]) => regions.reduce((total, region) => total + lengthOf(region), 0)

function runsOf(probabilities: number[]): readonly Region[] {
  const runs = new SpeechRuns(SILERO_HYSTERESIS)
  for (const probability of probabilities) runs.hear(probability, CHUNK)
  return runs.finish(probabilities.length * CHUNK)
}

describe('runs of speech', () => {
  test('Q3 a run holds all that stays above the low threshold, if it once reaches the high one', () => {
    expect(runsOf([0, 0.06, 0.06, 0.2, 0.06, 0.04, 0])).toEqual([{ start: CHUNK, end: 5 * CHUNK }])
    expect(runsOf([0, 0.1, 0.19, 0.1, 0])).toEqual([])
  })

  test('Q3 a faint run counts within two seconds of clear speech, before and after it, and where there is none at all', () => {
    const faint = [0.1, 0.3, 0.1]
    const clear = [0.2, 0.9, 0.9]
    const silence = (chunks: number) => Array.from({ length: chunks }, () => 0)
    const near = Math.floor((2 * RATE) / CHUNK)
    const startsOf = (runs: readonly Region[]) => runs.map(({ start }) => start / CHUNK)
    expect(startsOf(runsOf([...faint, ...silence(near), ...clear, ...silence(near), ...faint]))).toEqual([
      0,
      3 + near,
      6 + 2 * near,
    ])
    expect(startsOf(runsOf([...faint, ...silence(near + 1), ...clear, ...silence(near + 1), ...faint]))).toEqual([
      4 + near,
    ])
    expect(startsOf(runsOf([...faint, ...silence(near + 1), ...faint]))).toEqual([0, 4 + near])
  })

  test('Q3 a run that is faint on the whole is not made clear by one loud moment', () => {
    const faint = Array.from({ length: 20 }, (_, i) => (i === 10 ? 0.9 : 0.1))
    const silence = Array.from({ length: 100 }, () => 0)
    expect(runsOf([0.9, 0.9, ...silence, ...faint])).toEqual([{ start: 0, end: 2 * CHUNK }])
  })

  test('Q3 what is shorter than 60 ms is a click, and the last run ends with the sound', () => {
    expect(runsOf([0, 0.9, 0, 0])).toEqual([])
    expect(runsOf([0.9, 0.9])).toEqual([{ start: 0, end: 2 * CHUNK }])
    const runs = new SpeechRuns(SILERO_HYSTERESIS)
    for (let i = 0; i < 3; i++) runs.hear(1, CHUNK)
    expect(runs.finish(1_200)).toEqual([{ start: 0, end: 1_200 }])
  })
})

describe('what is kept', () => {
  test('Q3 speech is padded on both sides, within the recording; a pause that would lose less than the gap stays', () => {
    const runs = [
      { start: 1_000, end: 20_000 },
      { start: 20_000 + 12_000, end: 60_000 },
      { start: 60_000 + 13_000, end: 90_000 },
    ]
    const { regions, pauses } = keepSpeech(runs, ms(250), ms(300), 91_000)
    // 12,000 samples less twice 4,000 leave 250 ms; 13,000 leave 312 ms.
    expect(regions).toEqual([
      { start: 0, end: 64_000 },
      { start: 69_000, end: 91_000 },
    ])
    expect(pauses).toHaveLength(2)
  })

  test('Q3 no speech is ever lost, and what is removed is longer than the gap', () => {
    fc.assert(
      fc.property(recording, fc.nat(500), fc.nat(1_000), ({ runs, total }, padding, gap) => {
        const { regions } = keepSpeech(runs, ms(padding), ms(gap), total)
        for (const run of runs) {
          expect(regions.some(({ start, end }) => start <= run.start && run.end <= end)).toBe(true)
        }
        for (const [i, region] of regions.entries()) {
          expect(region.start).toBeGreaterThanOrEqual(0)
          expect(region.end).toBeLessThanOrEqual(total)
          const before = regions[i - 1]
          if (before !== undefined) expect(region.start - before.end).toBeGreaterThanOrEqual((gap * RATE) / 1_000)
        }
      }),
    )
  })
})

describe('cuts', () => {
  const longest = fc.integer({ min: RATE, max: 30 * RATE })

  test('Q3 pieces hold all that is kept, in order, once, and none is too long', () => {
    fc.assert(
      fc.property(recording, longest, fc.nat(10 * RATE), fc.boolean(), ({ runs, total }, long, shortest, isTrimmed) => {
        const kept = isTrimmed ? keepSpeech(runs, ms(250), ms(300), total) : keepAll(total)
        const levels = levelsOf(runs, total)
        const all = sum(kept.regions)
        const cuts = planCuts(cutPoints(kept, levels, long), all, { longest: long, shortest })
        const pieces = partRegions(kept.regions, cuts)
        for (const piece of pieces) expect(sum(piece)).toBeLessThanOrEqual(long)
        const joined: { start: number; end: number }[] = []
        for (const region of pieces.flat()) {
          const last = joined.at(-1)
          if (last?.end === region.start) last.end = region.end
          else joined.push({ ...region })
        }
        expect(joined).toEqual(kept.regions.filter((region) => lengthOf(region) > 0))
      }),
    )
  })

  test('Q3 points for cuts rise, lie inside, and are never farther apart than two fifths of a piece', () => {
    fc.assert(
      fc.property(recording, longest, ({ runs, total }, long) => {
        const kept = keepSpeech(runs, ms(250), ms(300), total)
        const points = cutPoints(kept, levelsOf(runs, total), long)
        let last = 0
        for (const { kept: at, cost } of [...points, { kept: sum(kept.regions), cost: 1 }]) {
          if (kept.regions.length > 0) expect(at).toBeGreaterThan(last)
          expect(at - last).toBeLessThanOrEqual(0.4 * long + 2)
          expect(cost).toBeGreaterThan(0)
          last = at
        }
      }),
    )
  })

  test('Q3 few pieces in long pauses: no other way to cut within bounds is cheaper', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 9 })), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.integer({ min: 31, max: 80 }),
        fc.nat(20),
        (steps, long, shortest) => {
          let kept = 0
          const points = steps.map(([step, cost]) => {
            kept += step
            return { kept, cost }
          })
          const total = kept + 1
          const costs = new Map(points.map(({ kept: at, cost }) => [at, cost]))
          const judge = (cuts: number[]) => {
            const edges = [0, ...cuts, total]
            const lengths = edges.slice(1).map((edge, i) => edge - (edges[i] as number))
            return {
              fits: lengths.every((length) => length <= long),
              isWhole: lengths.every((length) => length >= Math.min(shortest, long / 2)),
              cuts: cuts.length,
              cost: cuts.reduce((all, cut) => all + PIECE + (costs.get(cut) ?? 0), 0),
            }
          }
          const every = Array.from({ length: 2 ** points.length }, (_, bits) =>
            judge(points.filter((_, i) => bits & (1 << i)).map((point) => point.kept)),
          ).filter((plan) => plan.fits)
          const allowed = every.some((plan) => plan.isWhole) ? every.filter((plan) => plan.isWhole) : every
          const best = allowed.sort((a, b) => a.cost - b.cost)[0]
          const found = judge(planCuts(points, total, { longest: long, shortest }))
          if (total > long) expect(found).toMatchObject({ fits: true, cost: best?.cost })
          else expect(found.cuts).toBe(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('Q3 a cut in unbroken speech falls on its quietest place', () => {
    const total = 40 * RATE
    const runs = [
      { start: 0, end: 17 * RATE },
      { start: 17.2 * RATE, end: total },
    ]
    const levels = levelsOf(runs, total)
    const [cut] = planCuts(cutPoints(keepAll(total), levels, 30 * RATE), total, { longest: 30 * RATE, shortest: 0 })
    expect(cut).toBeGreaterThan(17 * RATE)
    expect(cut).toBeLessThan(17.2 * RATE)
  })

  test('Q3 no piece is so short that it is billed for more than it holds, where that can be had', () => {
    const points = [100, 200, 290].map((kept) => ({ kept, cost: kept === 290 ? 1 : 5 }))
    expect(planCuts(points, 300, { longest: 295, shortest: 50 })).toEqual([200])
  })
})
