import { type Instant, instant, type NanoUsd, nanoUsd } from '../units.ts'

/** One day of the wall clock in a time zone, which may last 23 or 25 hours. */
export interface LocalDay {
  /** `2026-11-25` */
  readonly day: string
  readonly start: Instant
  readonly end: Instant
  /** The instant at which the wall clock shows so many minutes since midnight; within the day. */
  at(minutes: number): Instant
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** The day that `now` belongs to. Throws RangeError for a time zone that is not known. */
export function localDay(now: Instant, timeZone: string): LocalDay {
  const format = new Intl.DateTimeFormat('en-US', { ...FIELDS, timeZone })
  const midnight = Math.floor(wall(now, format) / DAY_MS) * DAY_MS
  const start = instantOf(midnight, format)
  const end = instantOf(midnight + DAY_MS, format)
  return {
    day: new Date(midnight).toISOString().slice(0, 10),
    start,
    end,
    at: (minutes) => instant(Math.min(end, instantOf(midnight + minutes * MINUTE_MS, format))),
  }
}

const FIELDS = {
  calendar: 'gregory',
  numberingSystem: 'latn',
  hourCycle: 'h23',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
} as const

/** What the wall clock shows at `at`, as if it were UTC: whole milliseconds since the epoch. */
function wall(at: number, format: Intl.DateTimeFormat): number {
  const parts = format.formatToParts(new Date(at))
  const field = (type: string) => Number(parts.find((part) => part.type === type)?.value)
  return Date.UTC(field('year'), field('month') - 1, field('day'), field('hour'), field('minute'), field('second'))
}

/**
 * The first instant at which the wall clock shows `shown`. A time that a forward jump of the clock leaves out is taken as
 * if the clock had not jumped, which for a midnight that never happens is exactly the start of the day.
 */
function instantOf(shown: number, format: Intl.DateTimeFormat): Instant {
  const offsetAt = (at: number) => wall(at, format) - at
  const before = shown - offsetAt(shown - DAY_MS)
  const after = shown - offsetAt(shown + DAY_MS)
  return instant(wall(before, format) !== shown && wall(after, format) === shown ? after : before)
}

/**
 * Turns readings of a counter that starts anew each UTC day into what was spent in a local day. Kept between readings by
 * whoever takes them. What was spent between the last reading of a day and its end counts for the next day: with a reading
 * every ten seconds, ten seconds' worth.
 */
export interface DayMeter {
  readonly day: string
  /** UTC day and value of the last reading. */
  readonly utcDay: string
  readonly counter: NanoUsd
  /** Sum of the UTC days that have ended, and of everything up to the start of the local day. */
  readonly carried: NanoUsd
  readonly base: NanoUsd
}

/** A counter may also fall within a day, when an estimate is corrected: that is no new day. */
export function readMeter(before: DayMeter | null, counter: NanoUsd, now: Instant, day: string): DayMeter {
  const utcDay = new Date(now).toISOString().slice(0, 10)
  const zero = nanoUsd(0)
  if (before === null) return { day, utcDay, counter, carried: zero, base: zero }
  const isNewUtcDay = utcDay !== before.utcDay
  if (day === before.day) {
    const carried = isNewUtcDay ? nanoUsd(before.carried + before.counter) : before.carried
    return { ...before, utcDay, counter, carried }
  }
  // Where both days are new at once, which is always so for UTC, all that the counter shows is today's.
  return { day, utcDay, counter, carried: zero, base: isNewUtcDay ? zero : before.counter }
}

/** Spent in the local day so far. */
export const spentOn = (meter: DayMeter): NanoUsd => nanoUsd(Math.max(0, meter.carried + meter.counter - meter.base))
