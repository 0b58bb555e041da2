import { expect, test } from 'vitest'
import { goDuration, retryAfterOf, spentUntil } from '../../src/calls/rate-headers.ts'
import { instant, ms } from '../../src/units.ts'

const now = instant(Date.parse('2026-11-25T12:00:00Z'))

test.each([
  [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
  [{ 'retry-after': '9' }, 9_000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after': 'Wed, 25 Nov 2026 12:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Wed, 25 Nov 2026 11:00:00 GMT' }, 0],
  [{ 'retry-after': '-3' }, null],
  [{ 'retry-after': '99999999' }, null],
  [{ 'retry-after': 'soon' }, null],
  [{}, null],
])('Q5 when to come back: %o', (headers, expected) => {
  expect(retryAfterOf(headers, now)).toBe(expected)
})

test.each([
  ['1s', 1_000],
  ['6m0s', 360_000],
  ['12ms', 12],
  ['1h2m3s', 3_723_000],
  ['1.5s', 1_500],
  ['7', 7_000],
  ['', null],
  ['1x', null],
  ['s1', null],
])('Q5 a reset of %s', (text, expected) => {
  expect(goDuration(text)).toBe(expected)
})

test('Q5 a rate that is used up is waited out, up to a bound; Azure says -1 where it has none', () => {
  const spent = { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6s' }
  expect(spentUntil(spent, now, ms(60_000))).toBe(now + 6_000)
  expect(spentUntil({ ...spent, 'x-ratelimit-reset-requests': '10m' }, now, ms(60_000))).toBe(now + 60_000)
  expect(spentUntil({ ...spent, 'x-ratelimit-remaining-requests': '3' }, now, ms(60_000))).toBeNull()
  const azure = {
    'x-ratelimit-remaining-requests': '-1',
    'x-ratelimit-limit-requests': '-1',
    'x-ratelimit-reset-requests': '0',
  }
  expect(spentUntil(azure, now, ms(60_000))).toBeNull()
})
