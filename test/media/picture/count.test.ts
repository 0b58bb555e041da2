import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { count } from '../../../src/media/picture/count.ts'
import { RULE_NAMES, ruleNamed } from '../../../src/media/picture/rule-table.ts'
import figures from './known-figures.json' with { type: 'json' }

const side = fc.integer({ min: 1, max: 9_000 })
const anyRule = fc.constantFrom(...RULE_NAMES).map((name) => ruleNamed(name).rule)

describe('how providers count pictures', () => {
  test.each(figures.counts)('Q4 $rule: $width × $height is $tokens tokens', (known) => {
    const counted = count(ruleNamed(known.rule).rule, known)
    expect(counted).toMatchObject({ tokens: known.tokens, units: known.units, refused: false })
    if ('seen' in known && known.seen !== undefined) {
      expect(Math.abs(counted.seen.width - (known.seen[0] as number))).toBeLessThanOrEqual(1)
      expect(Math.abs(counted.seen.height - (known.seen[1] as number))).toBeLessThanOrEqual(1)
    }
  })

  test('Q4 both sides round to the nearest pixel, as billed: one pixel of height halves the tiles', () => {
    const { rule } = ruleNamed('tile-85-170')
    expect(count(rule, { width: 2_049, height: 513 }).tokens).toBe(1_445)
    expect(count(rule, { width: 2_050, height: 513 }).tokens).toBe(765)
  })

  test('Q4 a picture of more patches than the provider takes is refused, not shrunk', () => {
    const { rule } = ruleNamed('patch-full-1.2')
    expect(count(rule, { width: 7_952, height: 5_304 })).toMatchObject({ units: 41_334, refused: true })
    expect(count(rule, { width: 4_945, height: 6_981 }).refused).toBe(true)
  })

  test('Q4 a quarter turn never changes the count', () => {
    fc.assert(
      fc.property(anyRule, side, side, (rule, width, height) => {
        const upright = count(rule, { width, height })
        const turned = count(rule, { width: height, height: width })
        expect(turned.tokens).toBe(upright.tokens)
        expect(turned.seen).toEqual({ width: upright.seen.height, height: upright.seen.width })
      }),
    )
  })

  test('Q4 no picture is seen larger than it was sent, or without a pixel, and none is free', () => {
    fc.assert(
      fc.property(anyRule, side, side, (rule, width, height) => {
        const { seen, tokens } = count(rule, { width, height })
        expect(seen.width).toBeLessThanOrEqual(width)
        expect(seen.height).toBeLessThanOrEqual(height)
        expect(Math.min(seen.width, seen.height)).toBeGreaterThanOrEqual(1)
        expect(Number.isInteger(tokens) && tokens > 0).toBe(true)
      }),
    )
  })

  test('Q4 what fits a budget stays within it', () => {
    fc.assert(
      fc.property(anyRule, side, side, (rule, width, height) => {
        const { units, seen } = count(rule, { width, height })
        if (rule.kind === 'patch' && rule.budget !== null) expect(units).toBeLessThanOrEqual(rule.budget)
        if (rule.kind === 'edge') {
          expect(units).toBeLessThanOrEqual(rule.maxTokens)
          expect(Math.max(seen.width, seen.height)).toBeLessThanOrEqual(rule.maxSide)
        }
      }),
    )
  })

  test('Q4 to send what the model would see anyway costs the same', () => {
    const shrinking = RULE_NAMES.filter((name) => ruleNamed(name).rule.kind !== 'crop')
    fc.assert(
      fc.property(fc.constantFrom(...shrinking), side, side, (name, width, height) => {
        const { rule } = ruleNamed(name)
        const sent = count(rule, { width, height })
        fc.pre(!sent.refused)
        expect(count(rule, sent.seen).tokens).toBeLessThanOrEqual(sent.tokens)
      }),
    )
  })
})
