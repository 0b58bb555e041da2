import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dollars } from '../../src/meter/decimal.ts'
import { planSession, type SessionPlan } from '../../src/meter/plan.ts'
import { tokensIn } from '../../src/meter/usage.ts'
import { ms, seconds, tokens } from '../../src/units.ts'
import { count, rowOf, SHEET } from '../support/prices.ts'

/** 5 s + 5 s a turn: 50 and 100 audio tokens (pricing.md §1.2). */
const plan = (change: Partial<SessionPlan> = {}): SessionPlan => ({
  turns: 20,
  user: seconds(5),
  assistant: seconds(5),
  pause: ms(0),
  instructions: tokens(0),
  transcript: tokens(0),
  cached: false,
  pausesSent: false,
  retentionMilli: 1_000,
  ...change,
})
const row = rowOf('gpt-realtime-2.1')

describe('a planned session', () => {
  // pricing.md §1.2: re-sent input is (U + A) · N(N − 1) / 2.
  test.each([
    [20, true, 28_500, '0.1714'],
    [20, false, 28_500, '1.072'],
    [60, true, 265_500, '0.5862'],
    [60, false, 265_500, '8.976'],
  ])('M5 %i turns of 5 s + 5 s, cached %s, re-send %i tokens and cost $%s', (turns, cached, resent, expected) => {
    const planned = planSession(plan({ turns, cached }), row)
    expect(dollars(planned.nano)).toBe(expected)
    expect(planned.resent).toBe(resent)
    expect(planned.usage.in).toEqual(count({ audio: resent + turns * 50 }))
    expect(planned.usage.out).toEqual(count({ audio: turns * 100 }))
    expect(planned.truncatedFrom).toBeNull()
  })

  test('M5 the money for reading again is set apart, turn by turn and in total', () => {
    const planned = planSession(plan({ turns: 60 }), row)
    expect(planned.turns.map((t) => t.resent).slice(0, 3)).toEqual([0, 150, 300])
    expect(planned.turns[2]?.resentNano).toBe(300 * 32_000)
    expect(dollars(planned.resentNano)).toBe('8.496') // 265,500 × $32 per million
    expect(planned.length).toBe(600_000)
  })

  test('M5 instructions and transcripts are read again with every turn', () => {
    const planned = planSession(
      plan({ turns: 3, instructions: tokens(100), transcript: tokens(15), cached: true }),
      row,
    )
    expect(planned.turns.map((t) => t.usage.in)).toEqual([
      count({ text: 100, audio: 50 }),
      count({ text: 115, audio: 200 }),
      count({ text: 130, audio: 350 }),
    ])
    expect(planned.turns.map((t) => t.usage.cached)).toEqual([
      count({}),
      count({ text: 115, audio: 150 }),
      count({ text: 130, audio: 300 }),
    ])
  })

  test('M5 pauses cost nothing where they are dropped, and are read again for ever where they are sent', () => {
    const quiet = planSession(plan({ pause: seconds(10) }), row)
    const loud = planSession(plan({ pause: seconds(10), pausesSent: true }), row)
    expect(quiet.nano).toBe(planSession(plan(), row).nano)
    // 100 tokens more in every turn, and in every turn after it.
    expect(tokensIn(loud.usage) - tokensIn(quiet.usage)).toBe(20 * 100 + (100 * 20 * 19) / 2)
    expect(loud.length).toBe(400_000)
  })

  test('M5 a small window overflows near turn 188, and from then on every turn reads all of it uncached', () => {
    const small = rowOf('gpt-realtime') // reads 28,224 at most
    const planned = planSession(plan({ turns: 250, cached: true }), small)
    expect(planned.truncatedFrom).toBe(189) // 150 × 188 + 50 is the first above it
    for (const turn of planned.turns.slice(188)) {
      expect(tokensIn(turn.usage)).toBeLessThanOrEqual(28_224)
      expect(tokensIn(turn.usage)).toBeGreaterThan(28_224 - 150)
      expect(turn.usage.cached).toEqual(count({}))
    }
    expect(planned.turns[187]?.usage.cached.audio).toBe(150 * 187)
  })

  test('M5 a lower retention ratio cuts seldom, so that the cache works between the cuts', () => {
    const small = rowOf('gpt-realtime')
    const full = planSession(plan({ turns: 400, cached: true }), small)
    const less = planSession(plan({ turns: 400, cached: true, retentionMilli: 800 }), small)
    const cuts = (p: typeof full) => p.turns.filter((t) => t.truncated).length
    expect(cuts(less)).toBeLessThan(cuts(full) / 20)
    expect(less.nano).toBeLessThan(full.nano / 5)
  })

  test('M5 a model billed by the clock pays for pauses, one by audio only where they are sent', () => {
    const minute = plan({ turns: 2, user: seconds(10), assistant: seconds(10), pause: seconds(10) })
    expect(dollars(planSession(minute, rowOf('gpt-live-1')).nano)).toBe('0.05')
    const grok = rowOf('grok-voice-latest', 'xai')
    expect(planSession(minute, grok).nano).toBe(53_333_334) // 40 s of 0.08 a minute
    expect(dollars(planSession({ ...minute, pausesSent: true }, grok).nano)).toBe('0.08')
    expect(planSession(minute, grok)).toMatchObject({ resent: 0, resentNano: 0, truncatedFrom: null })
  })

  test('M5 a session billed in whole seconds is rounded once, not with every turn', () => {
    const planned = planSession(plan({ turns: 10, user: ms(1_100), assistant: ms(0) }), rowOf('gpt-live-1'))
    expect(planned.nano).toBe(9_166_667) // 11 s at $0.05 a minute
  })

  test('M5 a first turn finds nothing in the cache, even one that does not fit the window', () => {
    const planned = planSession(plan({ turns: 1, instructions: tokens(40_000), cached: true }), rowOf('gpt-realtime'))
    expect(planned.turns[0]?.usage.cached).toEqual(count({}))
  })

  test('M5 a provider that bills the context once makes the cost grow with the turns, not with their square', () => {
    const nova = rowOf('amazon.nova-2-sonic-v1:0', 'aws', 'us')
    const once = planSession(plan({ turns: 10, instructions: tokens(100) }), nova)
    expect(once.usage.in).toEqual(count({ text: 100, audio: 10 * 125 }))
    expect(once.resent).toBe(0)
  })

  test('M5 any plan on any model is whole, never negative, dearer with more turns, cheaper cached', () => {
    const someMs = fc.nat(60_000).map(ms)
    const plans = fc.record({
      turns: fc.integer({ min: 1, max: 80 }),
      user: someMs,
      assistant: someMs,
      pause: someMs,
      instructions: fc.nat(40_000).map(tokens),
      transcript: fc.nat(500).map(tokens),
      cached: fc.boolean(),
      pausesSent: fc.boolean(),
      retentionMilli: fc.integer({ min: 0, max: 1_000 }),
    })
    fc.assert(
      fc.property(plans, fc.constantFrom(...SHEET.rows), (p, price) => {
        const planned = planSession(p, price)
        expect(Number.isSafeInteger(planned.nano) && planned.resentNano >= 0).toBe(true)
        expect(planned.resentNano).toBeLessThanOrEqual(planned.nano)
        expect(planSession({ ...p, turns: p.turns + 1 }, price).nano).toBeGreaterThanOrEqual(planned.nano)
        const warm = planSession({ ...p, cached: true }, price).nano
        expect(warm).toBeLessThanOrEqual(planSession({ ...p, cached: false }, price).nano)
      }),
      { numRuns: 300 },
    )
  })
})
