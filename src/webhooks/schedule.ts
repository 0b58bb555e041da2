import { type Instant, type Ms, ms } from '../units.ts'

const S = 1_000
const M = 60 * S
const H = 60 * M

/** Waits after the first, second, … failed attempt (reference: queue API, webhooks): 76 hours in all. */
const GAPS = [5 * S, 5 * M, 30 * M, 2 * H, 5 * H, 10 * H, 14 * H, 20 * H, 24 * H] as const
/** Attempts at one event. */
export const ATTEMPTS = GAPS.length + 1
const JITTER = 0.2
const LONGEST_RETRY_AFTER = 24 * H

/**
 * How long until the next attempt. `failed` counts the attempts so far, from 1; `chance` is 0 to 1. A receiver that asks for
 * a longer wait gets it, up to a day.
 */
export function retryGap(failed: number, retryAfter: Ms | null, chance: number): Ms {
  const gap = GAPS[Math.min(failed, GAPS.length) - 1] ?? GAPS[0]
  const jittered = Math.round(gap * (1 - JITTER + 2 * JITTER * chance))
  return ms(Math.max(jittered, Math.min(retryAfter ?? 0, LONGEST_RETRY_AFTER)))
}

/** `Retry-After` (RFC 9110, 10.2.3): seconds or a date. Null for anything else. */
export function readRetryAfter(header: string | undefined, now: Instant): Ms | null {
  if (header === undefined) return null
  if (/^\d{1,9}$/.test(header.trim())) return ms(Number(header) * S)
  const date = Date.parse(header)
  return Number.isNaN(date) ? null : ms(Math.max(0, date - now))
}
