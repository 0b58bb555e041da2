import fc from 'fast-check'
import { expect, test } from 'vitest'
import { estimatePictures, estimateRecording } from '../../src/media/estimate.ts'
import { cost } from '../../src/meter/price.ts'
import { NOTHING } from '../../src/meter/usage.ts'
import { ms } from '../../src/units.ts'
import { rowOf, TODAY } from '../support/prices.ts'

const limits = { duration: ms(480_000), bytes: 24_000_000, billedAtLeast: ms(0) }

test('M5 a recording sold by time costs its speech with Parley and all of it without', () => {
  const row = rowOf('gpt-transcribe')
  const { prepared, untouched } = estimateRecording({ length: ms(3_600_000), speechMilli: 600 }, limits, row)
  expect(prepared.nano).toBe(cost({ ...NOTHING, audioMs: ms(2_160_000) }, row).nano)
  expect(untouched.nano).toBe(cost({ ...NOTHING, audioMs: ms(3_600_000) }, row).nano)
  expect([prepared.requests, untouched.requests]).toEqual([5, 8])
})

test('M5 one sold by tokens writes the same words either way', () => {
  const { prepared, untouched } = estimateRecording(
    { length: ms(600_000), speechMilli: 500 },
    limits,
    rowOf('gpt-4o-transcribe'),
  )
  expect(prepared.usage.out).toEqual(untouched.usage.out)
  expect([prepared.usage.in.audio, untouched.usage.in.audio]).toEqual([3_000, 6_000])
})

test('M5 a recording without speech costs nothing', () => {
  const { prepared } = estimateRecording({ length: ms(60_000), speechMilli: 0 }, limits, rowOf('whisper-1'))
  expect(prepared).toMatchObject({ requests: 0, nano: 0 })
})

test('M5 less speech never costs more, and never more than all of it', () => {
  const rows = [rowOf('whisper-1'), rowOf('gpt-4o-transcribe'), rowOf('whisper-large-v3', 'groq')]
  const any = fc.tuple(
    fc.constantFrom(...rows),
    fc.integer({ min: 100, max: 10_000_000 }),
    fc.nat(1_000),
    fc.nat(1_000),
  )
  fc.assert(
    fc.property(any, ([row, length, a, b]) => {
      const at = (speechMilli: number) => estimateRecording({ length: ms(length), speechMilli }, limits, row)
      const [less, more] = [at(Math.min(a, b)), at(Math.max(a, b))]
      // A request more is rounded up, and billed at least its minimum, once more.
      const slack = (cost({ ...NOTHING, audioMs: ms(10_000) }, row).nano + 1) * (more.prepared.requests + 1)
      expect(less.prepared.nano).toBeLessThanOrEqual(more.prepared.nano + slack)
      expect(more.prepared.nano).toBeLessThanOrEqual(more.untouched.nano + slack)
    }),
  )
})

test('M5 pictures cost no more as they would be sent than as they came, and small text keeps its size', () => {
  const pictures = { count: 3, minXHeight: 8, prompt: 20, answer: 200 }
  const target = { provider: 'openai', model: 'gpt-6.1-sol', detail: 'auto' } as const
  const sizes = fc.tuple(fc.integer({ min: 32, max: 4_000 }), fc.integer({ min: 32, max: 4_000 }))
  const heights = fc.option(fc.integer({ min: 4, max: 60 }))
  fc.assert(
    fc.property(sizes, heights, ([width, height], xHeight) => {
      const estimate = estimatePictures({ ...pictures, width, height, xHeight }, target, rowOf('gpt-6.1-sol'), TODAY)
      expect(estimate?.tokens).toBeLessThanOrEqual(estimate?.untouchedTokens ?? 0)
      expect(estimate?.prepared.nano).toBeLessThanOrEqual(estimate?.untouched.nano ?? 0)
      expect(estimate?.prepared.usage.in.text).toBe(3 * ((estimate?.tokens ?? 0) + 20))
    }),
    { numRuns: 30 },
  )
})
