import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NO_CALLS, noted, type RetryBudget, width } from '../../src/calls/retry-budget.ts'
import { instant } from '../../src/units.ts'

function after(calls: number, retries: number, now = 0): RetryBudget {
  let budget = NO_CALLS
  for (let i = 0; i < calls; i++) budget = noted(budget, i < retries, instant(now))
  return budget
}

test('Q5 retries within their share change nothing', () => {
  expect(width(NO_CALLS, 0.02, 8, instant(0))).toBe(8)
  expect(width(after(1_000, 20), 0.02, 8, instant(0))).toBe(8)
  expect(width(after(10, 3), 0.02, 8, instant(0))).toBe(8)
})

test('Q5 retries above their share slow the queue down in proportion, down to one at a time', () => {
  expect(width(after(1_000, 40), 0.02, 8, instant(0))).toBe(4)
  expect(width(after(1_000, 800), 0.02, 8, instant(0))).toBe(1)
})

test('Q5 a minute later all is forgotten', () => {
  const budget = after(1_000, 800, 0)
  expect(width(budget, 0.02, 8, instant(59_999))).toBe(1)
  expect(width(budget, 0.02, 8, instant(60_000))).toBe(8)
})

test('Q5 never wider than allowed, never shut, and more retries never widen it', () => {
  const calls = fc.array(fc.record({ isRetry: fc.boolean(), wait: fc.integer({ min: 0, max: 20_000 }) }), {
    maxLength: 200,
  })
  fc.assert(
    fc.property(
      calls,
      fc.integer({ min: 1, max: 64 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (all, most, share) => {
        let budget = NO_CALLS
        let now = 0
        for (const { isRetry, wait } of all) {
          now += wait
          budget = noted(budget, isRetry, instant(now))
        }
        const is = width(budget, share, most, instant(now))
        expect(is).toBeGreaterThanOrEqual(1)
        expect(is).toBeLessThanOrEqual(most)
        // What is remembered is bounded, however many calls there are.
        expect(budget.length).toBeLessThanOrEqual(13)
        const retried = noted(budget, true, instant(now))
        const called = noted(budget, false, instant(now))
        expect(width(retried, share, most, instant(now))).toBeLessThanOrEqual(width(called, share, most, instant(now)))
      },
    ),
  )
})
