import { expect, test } from 'vitest'
import { cheapestResize, largestWithin, type Way } from '../../../src/media/picture/resize.ts'
import { ruleNamed } from '../../../src/media/picture/rule-table.ts'
import figures from './known-figures.json' with { type: 'json' }

/** A rule of tiles can be left for its thumbnail. */
function waysOf(name: string): Way[] {
  const high: Way = { detail: 'high', rule: ruleNamed(name).rule }
  if (high.rule.kind !== 'tile') return [high]
  return [high, { detail: 'low', rule: ruleNamed(`thumbnail-${high.rule.base}`).rule }]
}

test.each(figures.plans)('Q4 the cheapest resize under $rule of $width × $height takes $tokens tokens', (known) => {
  const ways = waysOf(known.rule)
  const best =
    known.minScale === undefined
      ? largestWithin(known, known.budget as number, ways)
      : cheapestResize(known, known.minScale, ways)
  expect(best?.tokens).toBe(known.tokens)
  expect(Math.abs((best?.seen.width ?? 0) - (known.seen[0] as number))).toBeLessThanOrEqual(1)
  expect(Math.abs((best?.seen.height ?? 0) - (known.seen[1] as number))).toBeLessThanOrEqual(1)
})
