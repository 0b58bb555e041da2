import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Pace } from '../../src/broker/lines/pace.ts'
import { instant } from '../../src/units.ts'

describe('pace', () => {
  test('S6 who keeps the rate never waits', () => {
    const pace = new Pace(100, 1)
    for (let i = 0; i < 1_000; i++) expect(pace.take(1, instant(i * 10))).toBeCloseTo(0, 6)
  })

  test('S6 who waits as told takes at most rate × time + burst', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ units: fc.integer({ min: 1, max: 50 }), rest: fc.integer({ min: 0, max: 100 }) }), {
          minLength: 1,
        }),
        (takes) => {
          const pace = new Pace(200, 400)
          let now = 0
          let taken = 0
          for (const { units, rest } of takes) {
            now += pace.take(units, instant(now)) + rest
            taken += units
            expect(taken).toBeLessThanOrEqual(0.2 * now + 400 + 1e-6)
          }
        },
      ),
    )
  })
})
