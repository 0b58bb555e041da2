import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CallFailed } from '../../src/calls/media-provider.ts'
import { afterFailure, bound, LONGEST_PATIENCE, type RetryPolicy } from '../../src/calls/retry-policy.ts'
import { ms } from '../../src/units.ts'

type Failure = Pick<CallFailed, 'kind' | 'retryAfter' | 'again'>
const failure = (kind: CallFailed['kind'], changes: Partial<Failure> = {}): Failure => ({
  ...{ kind, retryAfter: null, again: null },
  ...changes,
})
const policy: RetryPolicy = { attempts: 4, backoff: { first: ms(500), longest: ms(30_000) } }

test('Q5 a refusal ends it, a credential that is not taken sends it elsewhere', () => {
  expect(afterFailure(failure('refused'), 1, policy, 0.5)).toEqual({ type: 'give_up' })
  expect(afterFailure(failure('bad_credentials'), 1, policy, 0.5)).toEqual({ type: 'elsewhere' })
})

test('Q5 what the provider says about asking again goes before everything but a refusal', () => {
  expect(afterFailure(failure('unavailable', { again: false }), 1, policy, 0.5)).toEqual({ type: 'elsewhere' })
})

test('Q5 a provider that wants to be left alone for long is not waited for', () => {
  const soon = failure('rate_limited', { retryAfter: LONGEST_PATIENCE })
  expect(afterFailure(soon, 1, policy, 0)).toEqual({ type: 'again', wait: LONGEST_PATIENCE })
  const late = failure('rate_limited', { retryAfter: ms(LONGEST_PATIENCE + 1) })
  expect(afterFailure(late, 1, policy, 0)).toEqual({ type: 'elsewhere' })
})

const policies = fc.record({
  attempts: fc.integer({ min: 1, max: 10 }),
  backoff: fc
    .tuple(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 0, max: 60_000 }))
    .map(([first, more]) => ({ first: ms(first), longest: ms(first + more) })),
})
const passing = fc.constantFrom<CallFailed['kind']>('rate_limited', 'unavailable', 'timeout', 'bad_answer')

test('Q5 never sooner than asked, never later than both bounds, never more attempts than there are', () => {
  const retryAfters = fc.option(fc.integer({ min: 0, max: 120_000 }).map(ms))
  const random = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(policies, passing, retryAfters, fc.integer({ min: 1, max: 12 }), random, (p, kind, after, n, r) => {
      const next = afterFailure(failure(kind, { retryAfter: after }), n, p, r)
      expect(next.type).not.toBe('give_up')
      if (n >= p.attempts) expect(next.type).toBe('elsewhere')
      if (next.type !== 'again') return
      expect(n).toBeLessThan(p.attempts)
      expect(next.wait).toBeGreaterThanOrEqual(after ?? 0)
      expect(next.wait).toBeLessThanOrEqual(Math.max(after ?? 0, bound(p, n)))
    }),
  )
})

test('Q5 the bound of the waits doubles up to the longest', () => {
  fc.assert(
    fc.property(policies, fc.integer({ min: 1, max: 60 }), (p, n) => {
      expect(bound(p, n + 1)).toBe(Math.min(p.backoff.longest, bound(p, n) * 2))
    }),
  )
})
