import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Box } from '../../../src/media/picture/rule.ts'
import { Slicer } from '../../../src/media/picture/slices.ts'

const BOX = { left: 40, top: 25, width: 1_000, height: 600 }

/** A line of words, each `width` px with `gap` px behind it, from the left edge of the box to its right edge. */
function line(top: number, width: number, gap: number): Box[] {
  const count = Math.floor(BOX.width / (width + gap))
  return Array.from({ length: count }, (_, i) => ({ left: BOX.left + i * (width + gap), top, width, height: 14 }))
}

const holds = (outer: Box, inner: Box): boolean =>
  outer.left <= inner.left &&
  outer.top <= inner.top &&
  outer.left + outer.width >= inner.left + inner.width &&
  outer.top + outer.height >= inner.top + inner.height

describe('slices of a picture', () => {
  test('Q4 a cut between two columns shares hardly anything', () => {
    const words = [0, 1, 2, 3].map((i) => ({ left: 40, top: 30 + i * 20, width: 480, height: 14 }))
    const other = words.map((word) => ({ ...word, left: 560, width: 470 }))
    const { size, boxes } = new Slicer(BOX, { xHeight: 10, words: [...words, ...other] }).grid(2, 1)
    expect(size.width).toBeLessThanOrEqual(505)
    expect(boxes.map(({ left }) => left)).toEqual([40, 40 + 1_000 - size.width])
  })

  test('Q4 a cut through lines shares no more than the words it goes through', () => {
    const words = [...line(30, 90, 10), ...line(60, 70, 12), ...line(90, 55, 9)]
    const { size } = new Slicer(BOX, { xHeight: 10, words }).grid(2, 1)
    expect(size.width).toBeGreaterThan(500)
    expect(size.width).toBeLessThanOrEqual(500 + 50)
  })

  const words = fc.array(
    fc.record({
      left: fc.integer({ min: 40, max: 900 }),
      top: fc.integer({ min: 25, max: 600 }),
      width: fc.integer({ min: 1, max: 140 }),
      height: fc.integer({ min: 1, max: 24 }),
    }),
    { maxLength: 200 },
  )

  test('Q4 every word is whole in a slice; slices are of one size, in reading order, within the picture, and cover it', () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), (standing, columns, rows) => {
        const { size, boxes } = new Slicer(BOX, { xHeight: 8, words: standing }).grid(columns, rows)
        expect(boxes).toHaveLength(columns * rows)
        for (const word of standing) expect(boxes.some((box) => holds(box, word))).toBe(true)
        for (const box of boxes) {
          expect(box).toMatchObject(size)
          expect(holds(BOX, box)).toBe(true)
        }
        for (const [i, box] of boxes.entries()) {
          const [before, above] = [boxes[i - 1], boxes[i - columns]]
          if (i % columns > 0 && before !== undefined)
            expect(before.left + before.width).toBeGreaterThanOrEqual(box.left)
          if (above !== undefined) expect(above.top + above.height).toBeGreaterThanOrEqual(box.top)
        }
        expect(holds({ ...BOX, ...boxes[0] }, { left: BOX.left, top: BOX.top, width: 1, height: 1 })).toBe(true)
        const last = boxes.at(-1) as Box
        expect(last.left + last.width).toBe(BOX.left + BOX.width)
        expect(last.top + last.height).toBe(BOX.top + BOX.height)
      }),
      { numRuns: 200 },
    )
  })
})
