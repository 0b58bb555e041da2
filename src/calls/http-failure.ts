import type { Instant } from '../units.ts'
import { CallFailed } from './media-provider.ts'
import { retryAfterOf } from './rate-headers.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** `error.code` of a 429 that waiting does not help (providers.md §7). */
const NO_CREDIT: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'credit_balance_exhausted',
  'billing_hard_limit_reached',
  'account_deactivated',
])
/** A gateway that gave up on an answer: the model behind it may have finished it. */
const MAYBE_BOUGHT: ReadonlySet<number> = new Set([504, 524])
const SENSIBLE_CODE = /^[A-Za-z0-9_.-]{1,64}$/

/** What an answer that is no success means. Of its body only `error.code` is looked at. */
export function failureOf(status: number, headers: Headers, code: string | null, now: Instant): CallFailed {
  const again = headers['x-should-retry'] === 'true' ? true : headers['x-should-retry'] === 'false' ? false : null
  const detail = { status, retryAfter: retryAfterOf(headers, now), again, mayBeBought: MAYBE_BOUGHT.has(status) }
  const why = `HTTP ${status}${code !== null && SENSIBLE_CODE.test(code) ? `, ${code}` : ''}`
  if (status === 401 || status === 403 || (code !== null && NO_CREDIT.has(code)))
    return new CallFailed('bad_credentials', `the provider does not let us in (${why})`, detail)
  if (status === 429) return new CallFailed('rate_limited', `the provider is busy with us (${why})`, detail)
  if (status === 408 || status === 409 || status >= 500)
    return new CallFailed('unavailable', `the provider cannot serve (${why})`, detail)
  return new CallFailed('refused', `the provider refused the request (${why})`, detail)
}

/** Nothing had been sent when these came. */
const BEFORE_SENDING: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
])

/** What a connection that failed means. */
export function connectionFailure(cause: unknown): CallFailed {
  const code = (cause as { code?: unknown })?.code
  const mayBeBought = typeof code !== 'string' || !BEFORE_SENDING.has(code)
  return new CallFailed('unavailable', 'the connection to the provider failed', { cause, mayBeBought })
}
