import { expect, test } from 'vitest'
import { ago, bytes, clock, dollars, exactDollars, percent, shortId, took, whole } from '../../src/console/format.ts'

test('V2 exact dollars lose nothing of whole nano-dollars', () => {
  expect([0, 1, 10_000_000, 1_500_000_000, 1_234_567_890_123_456, -2_000_000_001].map(exactDollars)).toEqual([
    ...['$0.00', '$0.000000001', '$0.01', '$1.50', '$1,234,567.890123456', '−$2.000000001'],
  ])
})

test('V2 dollars to glance at show two digits of what is small, and cents of what is not', () => {
  expect([0, 12, 1_234, 4_200_000, 45_600_000, 1_239_000_000, 12_345_600_000_000].map(dollars)).toEqual([
    ...['$0.00', '<$0.000001', '$0.000001', '$0.0042', '$0.046', '$1.24', '$12,346'],
  ])
})

test('V2 times read as people say them', () => {
  expect([-5, 4_999, 65_000, 7_389_000, 273_600_000].map(clock)).toEqual(['0:00', '0:04', '1:05', '2:03:09', '3 d 4 h'])
  expect([320, 4_240, 65_000].map(took)).toEqual(['320 ms', '4.2 s', '1:05'])
  expect([0, 40_000, 300_000, 7_200_000, 200_000_000].map(ago)).toEqual([
    ...['just now', '40 s ago', '5 min ago', '2 h ago', '2 d ago'],
  ])
})

test('V2 numbers, sizes, shares and ids', () => {
  expect([0, 999, 1_234_567].map(whole)).toEqual(['0', '999', '1,234,567'])
  expect([999, 1_234, 45_600_000].map(bytes)).toEqual(['999 B', '1.2 kB', '46 MB'])
  expect([percent(1, 3), percent(0, 0), percent(5, 0)]).toEqual([33, 0, 100])
  expect([shortId('0a1b2c3d-0000'), shortId('job_01k8xj3v5e7q9zt2m4n6p8r0sw')]).toEqual([
    '0a1b2c3d',
    '6p8r0sw'.padStart(8, 'n'),
  ])
})
