import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  applyStep,
  burnLine,
  judge,
  MARGIN_PERCENT,
  type Objective,
  type Standing,
} from '../../src/limits/objective.ts'
import { type DayMeter, localDay, readMeter, spentOn } from '../../src/limits/objective-day.ts'
import { type Instant, instant, nanoUsd } from '../../src/units.ts'

const HOUR = 3_600_000
const at = (iso: string): Instant => instant(Date.parse(iso))
const dollars = (n: number) => nanoUsd(Math.round(n * 1_000_000_000))

const mini = { at: 100, siblings: new Map([['big', 'mini']]), maxOutputTokens: 1_000 }
const tiny = {
  at: 130,
  siblings: new Map([
    ['big', 'tiny'],
    ['mini', 'tiny'],
  ]),
  maxOutputTokens: 300,
}
const objective: Objective = {
  perDay: dollars(100),
  sharePercent: 90,
  by: 15 * 60,
  timeZone: 'UTC',
  steps: [mini, tiny],
}
const lineAt = (iso: string, of: Objective = objective) => burnLine(of, localDay(at(iso), of.timeZone), at(iso))

describe('the burn line', () => {
  test.each([
    ['2026-11-25T00:00:00Z', 5],
    ['2026-11-25T00:30:00Z', 5],
    ['2026-11-25T05:00:00Z', 30],
    ['2026-11-25T10:00:00Z', 60],
    ['2026-11-25T15:00:00Z', 90],
    ['2026-11-25T19:30:00Z', 95],
    ['2026-11-25T23:59:59.999Z', 99.999999],
  ])('L6 allows at %s %d of 100 dollars', (iso, allowed) => {
    expect(Math.abs(lineAt(iso) - dollars(allowed))).toBeLessThan(dollars(0.000_001))
  })

  test('L6 at 15:00 is the same in the summer, the winter and on days of 23 and 25 hours', () => {
    const berlin = { ...objective, timeZone: 'Europe/Berlin' }
    for (const iso of [
      '2026-07-01T15:00:00+02:00',
      '2026-12-01T15:00:00+01:00',
      '2026-03-29T15:00:00+02:00',
      '2026-10-25T15:00:00+01:00',
    ]) {
      expect(lineAt(iso, berlin)).toBe(dollars(90))
    }
    // Half of the way from midnight to 15:00 on a day on which that takes 14 hours.
    expect(lineAt('2026-03-29T08:00:00+02:00', berlin)).toBe(dollars(45))
    expect(lineAt('2026-10-25T07:00:00+01:00', berlin)).toBe(dollars(45))
  })

  test('L6 `by` at either end of the day', () => {
    expect(lineAt('2026-11-25T00:00:00Z', { ...objective, by: 0 })).toBe(dollars(90))
    expect(lineAt('2026-11-25T12:00:00Z', { ...objective, by: 1_440 })).toBe(dollars(45))
    expect(lineAt('2026-11-25T12:00:00Z', { ...objective, by: 0, sharePercent: 100 })).toBe(dollars(100))
  })
})

describe('days of the wall clock', () => {
  test.each([
    ['2026-03-29T12:00:00Z', 'Europe/Berlin', '2026-03-29', '2026-03-28T23:00:00Z', 23],
    ['2026-10-25T12:00:00Z', 'Europe/Berlin', '2026-10-25', '2026-10-24T22:00:00Z', 25],
    ['2026-11-25T00:00:00Z', 'America/New_York', '2026-11-24', '2026-11-24T05:00:00Z', 24],
    ['2026-11-01T12:00:00Z', 'America/New_York', '2026-11-01', '2026-11-01T04:00:00Z', 25],
    // The clock jumps at midnight: the day begins at 01:00.
    ['2018-11-04T12:00:00Z', 'America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00Z', 23],
    // Midnight comes twice: the day begins with the first.
    ['2026-11-01T12:00:00Z', 'America/Havana', '2026-11-01', '2026-11-01T04:00:00Z', 25],
    // The clock falls back at midnight into the day before, which lasts 25 hours.
    ['2018-02-17T12:00:00Z', 'America/Sao_Paulo', '2018-02-17', '2018-02-17T02:00:00Z', 25],
    ['2026-04-05T00:00:00Z', 'Australia/Lord_Howe', '2026-04-05', '2026-04-04T13:00:00Z', 24.5],
    ['2026-11-25T12:00:00Z', 'Asia/Kathmandu', '2026-11-25', '2026-11-24T18:15:00Z', 24],
  ])('L6 %s in %s', (iso, zone, day, start, hours) => {
    const found = localDay(at(iso), zone)
    expect(found.day).toBe(day)
    expect(new Date(found.start).toISOString()).toBe(new Date(start).toISOString())
    expect(found.end - found.start).toBe(hours * HOUR)
  })

  test('L6 a time that the clock jumps over still comes, as if it had not jumped', () => {
    expect(localDay(at('2026-03-29T00:00:00Z'), 'Europe/Berlin').at(150)).toBe(at('2026-03-29T01:30:00Z'))
  })

  test('L6 days follow one another without a gap or an overlap, and hold their own instants', () => {
    const zones = fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'America/Havana',
      'America/Sao_Paulo',
      'Pacific/Apia',
      'Africa/Cairo',
    )
    const span = fc.integer({ min: Date.UTC(2010, 0), max: Date.UTC(2030, 0) })
    fc.assert(
      fc.property(zones, span, fc.integer({ min: 0, max: 1_440 }), (zone, when, minutes) => {
        const today = localDay(instant(when), zone)
        expect(today.start).toBeLessThanOrEqual(when)
        expect(today.end).toBeGreaterThan(when)
        expect(localDay(today.end, zone).start).toBe(today.end)
        expect(localDay(instant(today.start - 1), zone).end).toBe(today.start)
        expect(today.at(minutes)).toBeGreaterThanOrEqual(today.start)
        expect(today.at(minutes)).toBeLessThanOrEqual(today.end)
      }),
    )
  })
})

describe('the step that applies', () => {
  const noon = at('2026-11-25T10:00:00Z') // line: 60
  const standing = (step: number): Standing => ({ step, day: '2026-11-25', perDay: objective.perDay })
  const stepOf = (spent: number, before: Standing | null = null, now = noon, of = objective) =>
    judge(of, dollars(spent), now, before).step

  test('L6 on the line everything is as configured; a nano-dollar over it is the first step', () => {
    expect(stepOf(60)).toBe(0)
    expect(judge(objective, nanoUsd(dollars(60) + 1), noon, null)).toMatchObject({ step: 1, line: dollars(60) })
    expect(stepOf(78)).toBe(1)
    expect(stepOf(78.1)).toBe(2)
  })

  test('L6 a step is left only with a margin', () => {
    expect(stepOf(55, standing(1))).toBe(1)
    expect(stepOf(54.1, standing(1))).toBe(1)
    expect(stepOf(54, standing(1))).toBe(0)
    expect(stepOf(70.3, standing(2))).toBe(2)
    expect(stepOf(70.2, standing(2))).toBe(1)
    expect(stepOf(50, standing(2))).toBe(0)
  })

  test('L6 the next day and a raised budget begin afresh', () => {
    const midnight = at('2026-11-26T00:00:00Z')
    expect(stepOf(0, standing(2), midnight)).toBe(0)
    expect(stepOf(4.9, standing(2), midnight)).toBe(0)
    const raised = { ...objective, perDay: dollars(101) }
    expect(stepOf(60, standing(1), noon, raised)).toBe(0)
    const lowered = { ...objective, perDay: dollars(99) }
    expect(stepOf(59, standing(1), noon, lowered)).toBe(1)
  })

  test('L6 fewer steps than before end a step that is no more', () => {
    expect(stepOf(77, standing(2), noon, { ...objective, steps: [mini] })).toBe(1)
    expect(stepOf(77, standing(2), noon, { ...objective, steps: [] })).toBe(0)
  })

  const anyStanding = fc.option(fc.integer({ min: 0, max: 2 }).map(standing), { nil: null })
  const minute = fc.integer({ min: 0, max: 1_439 }).map((m) => instant(at('2026-11-25T00:00:00Z') + m * 60_000))
  const money = fc.integer({ min: 0, max: 200_000 }).map((cents) => nanoUsd(cents * 1_000_000))

  test('L6 more spent is never a milder step', () => {
    fc.assert(
      fc.property(money, money, minute, anyStanding, (a, b, now, before) => {
        const [less, more] = a < b ? [a, b] : [b, a]
        expect(judge(objective, more, now, before).step).toBeGreaterThanOrEqual(
          judge(objective, less, now, before).step,
        )
      }),
    )
  })

  test('L6 a day of any spending: no step is undone before the line has grown by its margin, and none outlasts the day', () => {
    const bursts = fc.array(fc.record({ wait: fc.integer({ min: 1, max: 120 }), cents: fc.nat(400) }), {
      maxLength: 200,
    })
    fc.assert(
      fc.property(bursts, (all) => {
        let now = at('2026-11-25T00:00:00Z')
        const end = at('2026-11-26T00:00:00Z')
        let spent = nanoUsd(0)
        let before: Standing | null = null
        const taken = new Map<number, number>()
        for (const { wait, cents } of all) {
          now = instant(now + wait * 10_000)
          if (now >= end) break
          spent = nanoUsd(spent + cents * 10_000_000)
          const next = judge(objective, spent, now, before)
          for (let step = (before?.step ?? 0) + 1; step <= next.step; step++) taken.set(step, next.line)
          for (let step = before?.step ?? 0; step > next.step; step--) {
            expect(next.line * (100 - MARGIN_PERCENT)).toBeGreaterThanOrEqual((taken.get(step) ?? 0) * 100 * 0.999_999)
          }
          before = next
        }
        expect(judge(objective, nanoUsd(0), end, before).step).toBe(0)
      }),
    )
  })
})

describe('a UTC counter read as local days', () => {
  const read = (readings: [string, number][], zone: string) => {
    let meter: DayMeter | null = null
    return readings.map(([iso, n]) => {
      meter = readMeter(meter, dollars(n), at(iso), localDay(at(iso), zone).day)
      return spentOn(meter) / 1e9
    })
  }

  test('L6 in UTC the counter is the day', () => {
    const seen = read(
      [
        ['2026-11-25T10:00Z', 5],
        ['2026-11-25T23:59Z', 9],
        ['2026-11-26T00:00Z', 1],
        ['2026-11-26T10:00Z', 4],
      ],
      'UTC',
    )
    expect(seen).toEqual([5, 9, 1, 4])
  })

  test('L6 elsewhere the day goes on over midnight UTC and begins anew at its own', () => {
    const seen = read(
      [
        ['2026-11-25T20:00Z', 50],
        ['2026-11-25T22:59Z', 60], // 23:59 in Berlin
        ['2026-11-25T23:00Z', 60], // midnight in Berlin
        ['2026-11-25T23:59Z', 63],
        ['2026-11-26T00:01Z', 2],
        ['2026-11-26T22:00Z', 40],
        ['2026-11-26T23:00Z', 41],
        ['2026-11-26T23:10Z', 42],
      ],
      'Europe/Berlin',
    )
    expect(seen).toEqual([50, 60, 0, 3, 5, 43, 1, 2])
  })

  test('L6 a counter corrected downwards is no new day', () => {
    expect(
      read(
        [
          ['2026-11-25T10:00Z', 5],
          ['2026-11-25T11:00Z', 4],
        ],
        'UTC',
      ),
    ).toEqual([5, 4])
  })

  test('L6 days that nobody read are not counted twice', () => {
    expect(
      read(
        [
          ['2026-11-25T10:00Z', 5],
          ['2026-11-27T01:00Z', 3],
        ],
        'America/New_York',
      ),
    ).toEqual([5, 3])
  })
})

describe('what a new session gets', () => {
  test('L6 the sibling and the lowest cap of the steps taken; the caller keeps the name it asked for', () => {
    expect(applyStep(objective, 0, 'big')).toEqual({ asked: 'big', served: 'big', maxOutputTokens: null })
    expect(applyStep(objective, 1, 'big')).toEqual({ asked: 'big', served: 'mini', maxOutputTokens: 1_000 })
    expect(applyStep(objective, 2, 'big')).toEqual({ asked: 'big', served: 'tiny', maxOutputTokens: 300 })
    expect(applyStep(objective, 1, 'mini')).toEqual({ asked: 'mini', served: 'mini', maxOutputTokens: 1_000 })
    expect(applyStep(objective, 9, 'other')).toEqual({ asked: 'other', served: 'other', maxOutputTokens: 300 })
    expect(applyStep(null, 2, 'big')).toEqual({ asked: 'big', served: 'big', maxOutputTokens: null })
  })
})
