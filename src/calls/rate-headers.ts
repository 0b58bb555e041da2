import { between, type Instant, instant, later, type Ms, ms } from '../units.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Longer waits are those of a broken header. */
const LONGEST_MS = 86_400_000

/**
 * When a provider wants to be asked again (providers.md §7): `retry-after-ms`, else `retry-after` in seconds or as an HTTP
 * date; null where it does not say, or says what makes no sense.
 */
export function retryAfterOf(headers: Headers, now: Instant): Ms | null {
  const millis = numberOf(headers['retry-after-ms'])
  if (millis !== null) return sensible(millis)
  const text = one(headers['retry-after'])
  if (text === null) return null
  const seconds = numberOf(text)
  if (seconds !== null) return sensible(seconds * 1_000)
  const date = Date.parse(text)
  return Number.isNaN(date) ? null : sensible(Math.max(0, between(now, instant(date))))
}

/**
 * Until when nothing is left of a provider's rate: it said that no request, or no token, remains. Null while there is some.
 * The reset is when all of it is back, which is later than when the next request fits, so it is waited for up to `most`.
 */
export function spentUntil(headers: Headers, now: Instant, most: Ms): Instant | null {
  let until: Instant | null = null
  for (const what of ['requests', 'tokens']) {
    const remaining = numberOf(headers[`x-ratelimit-remaining-${what}`])
    const limit = numberOf(headers[`x-ratelimit-limit-${what}`])
    // Azure says -1 where it has no such limit.
    if (remaining === null || remaining > 0 || (limit !== null && limit <= 0)) continue
    const reset = goDuration(one(headers[`x-ratelimit-reset-${what}`]))
    if (reset === null || reset === 0) continue
    const at = later(now, ms(Math.min(most, reset)))
    if (until === null || at > until) until = at
  }
  return until
}

const UNITS: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

/** `1s`, `6m0s`, `12ms`, `1.5s`; a bare number is seconds. Null for what is none. */
export function goDuration(text: string | null): Ms | null {
  if (text === null) return null
  const plain = numberOf(text)
  if (plain !== null) return sensible(plain * 1_000)
  if (!/^(\d+(\.\d+)?(ms|h|m|s))+$/.test(text)) return null
  let sum = 0
  for (const [, amount = '0', unit = 's'] of text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g))
    sum += Number(amount) * (UNITS[unit] ?? 0)
  return sensible(sum)
}

const one = (value: string | string[] | undefined): string | null => (Array.isArray(value) ? value[0] : value) ?? null

function numberOf(value: string | string[] | undefined): number | null {
  const text = one(value)?.trim() ?? ''
  return /^-?\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) : null
}

const sensible = (wait: number): Ms | null => (wait >= 0 && wait <= LONGEST_MS ? ms(Math.ceil(wait)) : null)
