import { type Instant, instant } from '../units.ts'

const DAY_MS = 86_400_000

/** A stretch of time in which an account's money is counted. Days and months are UTC. */
export interface Period {
  /** The budget that is counted in it: `budget` is the account's whole life. */
  readonly limit: 'budget' | 'day' | 'month'
  /** What to call it in a key or a log: `2026-11-25`, `2026-11`, or `life`. */
  readonly name: string
  /** First instant, and the first one after it. */
  readonly from: Instant
  readonly to: Instant
}

export const LIFE: Period = {
  limit: 'budget',
  name: 'life',
  from: instant(0),
  to: instant(Number.MAX_SAFE_INTEGER),
}

/** The UTC day that an instant lies in. */
export function dayOf(at: Instant): Period {
  const from = dayNumber(at) * DAY_MS
  return { limit: 'day', name: dayName(dayNumber(at)), from: instant(from), to: instant(from + DAY_MS) }
}

/** The UTC month that an instant lies in. */
export function monthOf(at: Instant): Period {
  const date = new Date(at)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const name = date.toISOString().slice(0, 7)
  return { limit: 'month', name, from: instant(Date.UTC(year, month)), to: instant(Date.UTC(year, month + 1)) }
}

/** Days since the Unix epoch. */
export const dayNumber = (at: Instant): number => Math.floor(at / DAY_MS)
/** `2026-11-25` */
export const dayName = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10)
