import { expect, test } from 'vitest'
import { RATE } from '../../../src/media/audio/samples.ts'
import { formatOf, longestPiece } from '../../../src/media/audio/upload-format.ts'
import { minutes, ms, seconds } from '../../../src/units.ts'

const limits = { duration: seconds(480), bytes: 24_000_000, billedAtLeast: ms(0) }

test('Q3 pieces as models take them are FLAC, which always fits', () => {
  expect(longestPiece(limits, 'auto')).toBe(480 * RATE)
  expect(formatOf(480 * RATE, limits, 'auto')).toBe('flac')
})

test('Q3 what might not fit as FLAC is Opus, and whoever insists on FLAC gets shorter pieces', () => {
  const long = { ...limits, duration: minutes(60) }
  expect(longestPiece(long, 'auto')).toBe(3_600 * RATE)
  expect(formatOf(3_600 * RATE, long, 'auto')).toBe('opus')
  expect(longestPiece(long, 'flac') / RATE).toBeCloseTo(740, -1)
  expect(longestPiece({ ...long, duration: minutes(600) }, 'opus') / RATE).toBeCloseTo(4_797, -1)
})
