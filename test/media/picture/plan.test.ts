import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PictureFacts, type PicturePlan, planPicture } from '../../../src/media/picture/plan.ts'
import { tokensOf } from '../../../src/media/picture/tokens-of.ts'
import type { PictureTarget } from '../../../src/media/picture-target.ts'
import { instant } from '../../../src/units.ts'

const NOW = instant(Date.parse('2026-11-23T12:00:00Z'))
const target = (provider: string, model: string, detail: PictureTarget['detail'] = 'auto') => ({
  provider,
  model,
  detail,
})
const TILES = target('openai', 'gpt-4o')
const CLAUDE = target('anthropic', 'claude-opus-5.5')
const NO_BUDGET = target('openai', 'gpt-5.6-sol')
const TARGETS = [
  TILES,
  CLAUDE,
  NO_BUDGET,
  target('openai', 'gpt-4.1-nano'),
  target('openai', 'gpt-5.4'),
  target('anthropic', 'claude-sonnet-4-6'),
  target('google', 'gemini-2.5-flash'),
  target('google', 'gemini-3.8-flash'),
  target('local', 'llava'),
]
const WISH = { minXHeight: 8, crop: true, slices: false }

function photograph(width: number, height: number): PictureFacts {
  return { size: { width, height }, content: null, text: null }
}

function page(width: number, height: number, xHeight: number): PictureFacts {
  return { size: { width, height }, content: null, text: { xHeight, isFew: false, words: null } }
}

function plan(to: PictureTarget, facts: PictureFacts, wish = WISH): PicturePlan {
  return planPicture(to, facts, wish, NOW) ?? expect.fail('the provider takes it in no size')
}

const piece = (planned: PicturePlan) => planned.pieces[0] ?? expect.fail('nothing is sent')

describe('what is sent of a picture', () => {
  test('Q4 a photograph is sent as large as general questions need, on whole patches', () => {
    const planned = plan(CLAUDE, photograph(4_000, 3_000))
    expect(planned.tokens).toBe(588)
    expect(piece(planned).size).toEqual({ width: 784, height: 588 })
  })

  test('Q4 a model whose default does not shrink at all gets no 12 megapixels', () => {
    expect(tokensOf(NO_BUDGET, 4_000, 3_000, NOW).tokens).toBe(14_100)
    expect(plan(NO_BUDGET, photograph(4_000, 3_000)).tokens).toBeLessThanOrEqual(692)
  })

  test('Q4 text keeps 8 px x-height and not much more', () => {
    const planned = plan(CLAUDE, page(1_240, 1_754, 16))
    const scale = piece(planned).size.width / 1_240
    expect(scale * 16).toBeGreaterThanOrEqual(8)
    expect(scale * 16).toBeLessThan(8.4)
  })

  test('Q4 text that is small already is not made smaller', () => {
    const planned = plan(CLAUDE, page(900, 1_200, 6))
    expect(piece(planned).size).toEqual({ width: 900, height: 1_200 })
    expect(planned.untouched).toBe(true)
  })

  test('Q4 an even border is left out where that saves tokens', () => {
    const content = { left: 100, top: 200, width: 800, height: 560 }
    const facts = { ...page(1_000, 1_400, 9), content }
    expect(piece(plan(CLAUDE, facts)).box).toEqual(content)
    expect(piece(plan(CLAUDE, facts, { ...WISH, crop: false })).box).toMatchObject({ left: 0, top: 0, width: 1_000 })
  })

  test.each([
    { left: 400, top: 200, width: 1_343, height: 1_745 },
    { left: 100, top: 900, width: 3_800, height: 1_200 },
  ])(
    'Q4 a border around a photograph is left out whatever its shape, and what it surrounds seen as large as any',
    (content) => {
      const planned = plan(CLAUDE, { ...photograph(4_032, 3_024), content })
      expect(piece(planned).box).toEqual(content)
      expect(Math.max(piece(planned).size.width, piece(planned).size.height)).toBeGreaterThanOrEqual(768)
      expect(planned.tokens).toBeLessThan(620)
    },
  )

  test('Q4 a picture of at most 512 px goes to a model of tiles as a thumbnail, which shows it whole', () => {
    expect(plan(TILES, photograph(500, 400))).toMatchObject({ detail: 'low', tokens: 85 })
  })

  test('Q4 what the caller asked for by detail is what is sent', () => {
    expect(plan({ ...TILES, detail: 'high' }, photograph(500, 400))).toMatchObject({ detail: 'high', tokens: 255 })
  })

  test('Q4 where pixels do not count the picture is left alone', () => {
    const planned = plan(target('google', 'gemini-3.8-flash'), photograph(4_000, 3_000))
    expect(planned).toMatchObject({ untouched: true, tokens: 1_120, detail: 'auto' })
  })

  test('Q4 text that the provider would make illegible is cut into slices where the caller allows it', () => {
    const facts = page(2_880, 1_800, 15)
    const whole = plan(TILES, facts)
    const sliced = plan(TILES, facts, { ...WISH, slices: true })
    expect(whole.pieces).toHaveLength(1)
    expect(sliced.pieces.length).toBeGreaterThan(1)
    expect(sliced.tokens).toBeLessThan(whole.tokens)
    for (const { box, size } of sliced.pieces) expect((size.width / box.width) * 15).toBeGreaterThanOrEqual(7.8)
  })

  test('Q4 slices are in reading order, cover everything, and share a long word where nobody has looked', () => {
    const { pieces } = plan(TILES, page(2_880, 1_800, 15), { ...WISH, slices: true })
    for (const [i, { box }] of pieces.entries()) {
      const before = pieces[i - 1]?.box
      if (before === undefined || before.top !== box.top) continue
      expect(before.left + before.width - box.left).toBeGreaterThanOrEqual(9 * 15)
    }
    expect(Math.min(...pieces.map(({ box }) => box.left))).toBe(0)
    expect(Math.max(...pieces.map(({ box }) => box.left + box.width))).toBe(2_880)
    expect(Math.max(...pieces.map(({ box }) => box.top + box.height))).toBe(1_800)
  })

  test('Q4 a scan that the provider would refuse is sent in a size that it takes', () => {
    expect(tokensOf(NO_BUDGET, 4_945, 6_981, NOW).refused).toBe(true)
    expect(plan(NO_BUDGET, page(4_945, 6_981, 40)).tokens).toBeLessThan(3_000)
  })

  test('Q4 no side is longer than the provider takes', () => {
    const { size } = piece(plan(CLAUDE, page(12_000, 900, 6)))
    expect(size.width).toBeLessThanOrEqual(8_000)
  })

  test('Q4 a strip of text on an empty page takes room for its short side from there, and is not enlarged for it', () => {
    const content = { left: 60, top: 300, width: 1_300, height: 180 }
    const planned = plan(CLAUDE, { ...page(1_400, 1_000, 16), content })
    expect(planned.tokens).toBeLessThan(plan(CLAUDE, { ...page(1_300, 180, 16) }).tokens)
    expect(piece(planned).size.width).toBeLessThan(700)
    expect(Math.min(piece(planned).size.width, piece(planned).size.height)).toBeGreaterThanOrEqual(200)
  })

  test('Q4 what is refused as it came is sent as large as it is taken, where its text needs that', () => {
    const { size } = piece(plan(NO_BUDGET, page(5_089, 5_985, 4)))
    expect(tokensOf(NO_BUDGET, size.width, size.height, NOW)).toMatchObject({ refused: false })
    expect(size.width).toBeGreaterThan(5_050)
  })

  const facts = fc.record({
    size: fc.record({ width: fc.integer({ min: 1, max: 6_000 }), height: fc.integer({ min: 1, max: 6_000 }) }),
    content: fc.constant(null),
    text: fc.option(
      fc.record({
        xHeight: fc.double({ min: 2, max: 90, noNaN: true }),
        isFew: fc.boolean(),
        words: fc.constant(null),
      }),
    ),
  })

  test('Q4 no plan costs more than the picture as it came, enlarges it, or has a side without a pixel', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TARGETS), facts, (to, known) => {
        const planned = plan(to, known)
        const original = tokensOf(to, known.size.width, known.size.height, NOW)
        if (!original.refused) expect(planned.tokens).toBeLessThanOrEqual(original.tokens)
        const { box, size } = piece(planned)
        expect(size.width).toBeLessThanOrEqual(box.width)
        expect(size.height).toBeLessThanOrEqual(box.height)
        expect(Math.min(size.width, size.height)).toBeGreaterThanOrEqual(1)
      }),
      { numRuns: 40 },
    )
  })

  test('Q4 text is seen at the x-height wished for, or as large as the model would have seen it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TARGETS), facts, (to, known) => {
        if (known.text === null || tokensOf(to, known.size.width, known.size.height, NOW).refused) return
        const { box, size } = piece(plan(to, known))
        const seen = tokensOf({ ...to, detail: plan(to, known).detail }, size.width, size.height, NOW).seen
        const original = tokensOf(to, known.size.width, known.size.height, NOW).seen
        const wished = Math.min(1, 8 / known.text.xHeight, original.width / known.size.width, 8_000 / box.width)
        expect(seen.width + 1).toBeGreaterThanOrEqual(Math.floor(box.width * wished))
      }),
      { numRuns: 40 },
    )
  })
})
