import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answered, type Breaker, begun, CLOSED, failed, mayCall } from '../../src/calls/breaker.ts'
import { instant, ms } from '../../src/units.ts'

const rules = { failures: 3, probeEvery: ms(10_000) }
const at = instant

test('Q5 so many failures in a row open it, an answer between begins the count anew', () => {
  let breaker: Breaker = CLOSED
  for (let i = 0; i < 2; i++) breaker = failed(breaker, rules, at(0))
  expect(mayCall(breaker, at(0))).toBe(true)
  breaker = failed(answered(), rules, at(0))
  for (let i = 0; i < 2; i++) breaker = failed(breaker, rules, at(0))
  expect(breaker).toEqual({ state: 'open', until: 10_000 })
  expect([mayCall(breaker, at(9_999)), mayCall(breaker, at(10_000))]).toEqual([false, true])
})

test('Q5 after its time one call finds out, and its end decides', () => {
  const open: Breaker = { state: 'open', until: at(10_000) }
  const probing = begun(open, rules, at(10_000))
  expect(mayCall(probing, at(10_001))).toBe(false)
  expect(failed(probing, rules, at(10_001))).toEqual({ state: 'open', until: 20_001 })
  expect(answered()).toEqual(CLOSED)
  // A probe of which nothing is heard closes no door for ever.
  expect(mayCall(probing, at(20_000))).toBe(true)
})

type Step = { type: 'begin' | 'fail' | 'answer' | 'pass'; time: number }

test('Q5 whatever happens: closed only below its count, and never shut for longer than the time between probes', () => {
  const step = fc.record({
    type: fc.constantFrom('begin', 'fail', 'answer', 'pass'),
    time: fc.integer({ min: 0, max: 30_000 }),
  }) as fc.Arbitrary<Step>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (steps, failures) => {
      const own = { failures, probeEvery: ms(10_000) }
      let breaker: Breaker = CLOSED
      let now = 0
      for (const { type, time } of steps) {
        if (type === 'pass') now += time
        if (type === 'begin' && mayCall(breaker, at(now))) breaker = begun(breaker, own, at(now))
        if (type === 'fail') breaker = failed(breaker, own, at(now))
        if (type === 'answer') breaker = answered()
        if (breaker.state === 'closed') expect(breaker.failures).toBeLessThan(failures)
        else expect(breaker.until - now).toBeLessThanOrEqual(own.probeEvery)
        expect(mayCall(breaker, at(now + own.probeEvery))).toBe(true)
      }
    }),
  )
})
