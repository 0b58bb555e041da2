import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RATE, toMs } from '../../../src/media/audio/samples.ts'
import {
  boundsOf,
  composeMaps,
  mapOf,
  mappedLength,
  spanToSource,
  toPiece,
  toSource,
  wordToSource,
} from '../../../src/media/audio/time-map.ts'
import { ms } from '../../../src/units.ts'
import { recording } from '../../support/audio-arbitraries.ts'

const regions = recording.map(({ runs }) => runs).filter((runs) => runs.length > 0)

test('Q3 every sample that was kept finds its way to the piece and back', () => {
  fc.assert(
    fc.property(regions, fc.double({ min: 0, max: 1, noNaN: true }), (runs, share) => {
      const map = mapOf(runs)
      const out = Math.min(mappedLength(map) - 1, Math.floor(share * mappedLength(map)))
      const source = toSource(map, out)
      expect(runs.some(({ start, end }) => start <= source && source < end)).toBe(true)
      expect(toPiece(map, source)).toBe(out)
    }),
  )
})

test('Q3 time on the recording never runs backwards', () => {
  fc.assert(
    fc.property(regions, fc.nat(), fc.nat(), (runs, a, b) => {
      const map = mapOf(runs)
      const [first, second] = [a, b].map((n) => n % (mappedLength(map) + RATE)).sort((x, y) => x - y) as [
        number,
        number,
      ]
      expect(toSource(map, first)).toBeLessThanOrEqual(toSource(map, second))
      const span = spanToSource(map, { start: toMs(first), end: toMs(second) })
      expect(span.start).toBeLessThanOrEqual(span.end)
      expect(span.end).toBeLessThanOrEqual(boundsOf(map).end)
    }),
  )
})

const map = mapOf([
  { start: RATE, end: 3 * RATE },
  { start: 10 * RATE, end: 12 * RATE },
])

test('Q3 a stamp in what was cut goes to the nearer side', () => {
  expect(toPiece(map, 4 * RATE)).toBe(2 * RATE)
  expect(toPiece(map, 9 * RATE)).toBe(2 * RATE)
  expect(toPiece(map, 0)).toBe(0)
  expect(toPiece(map, 20 * RATE)).toBe(4 * RATE)
})

test('Q3 a segment may span a pause, and one that ends at a join ends before the pause', () => {
  expect(spanToSource(map, { start: ms(500), end: ms(2_500) })).toEqual({ start: 1_500, end: 10_500 })
  expect(spanToSource(map, { start: ms(500), end: ms(2_000) })).toEqual({ start: 1_500, end: 3_000 })
  expect(spanToSource(map, { start: ms(2_000), end: ms(9_000) })).toEqual({ start: 10_000, end: 12_000 })
})

test('Q3 a word across a cut belongs to its start', () => {
  expect(wordToSource(map, { start: ms(1_900), end: ms(2_100) })).toEqual({ start: 2_900, end: 3_000 })
  expect(wordToSource(map, { start: ms(2_000), end: ms(2_100) })).toEqual({ start: 10_000, end: 10_100 })
})

test('Q3 the map of a piece of a piece leads to where both maps lead one after the other', () => {
  fc.assert(
    fc.property(regions, fc.array(fc.nat(), { minLength: 2, maxLength: 6 }), (runs, edges) => {
      const outer = mapOf(runs)
      const length = mappedLength(outer)
      const sorted = [...new Set(edges.map((edge) => edge % length))].sort((a, b) => a - b)
      const inner = mapOf(sorted.slice(1).map((end, i) => ({ start: sorted[i] as number, end })))
      const composed = composeMaps(outer, inner)
      expect(mappedLength(composed)).toBe(mappedLength(inner))
      for (let out = 0; out < mappedLength(inner); out += 4_001) {
        expect(toSource(composed, out)).toBe(toSource(outer, toSource(inner, out)))
      }
    }),
  )
})
