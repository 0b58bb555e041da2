import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { FAULTS, type Fault, type FaultCode, FaultError, toFault } from '../../faults.ts'
import { InvalidRequest, type ProblemDetail } from '../../invalid-request.ts'

/** An answer's body as RFC 9457 has it, with fields of our own that clients can act upon. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly code: string
  readonly request_id: string
  /** Whether the same request may do better later. */
  readonly retryable: boolean
  readonly retry_after_ms: number | null
  readonly errors?: readonly ProblemDetail[]
}

/** Words of this door for faults that other doors tell in OpenAI's. All others go by their own name. */
const CODES: Partial<Record<FaultCode, string>> = {
  invalid_api_key: 'unauthorized',
  secret_expired: 'unauthorized',
  origin_not_allowed: 'forbidden',
  tenant_suspended: 'forbidden',
  budget_spent: 'budget_exceeded',
  message_too_big: 'payload_too_large',
  too_many_jobs: 'concurrency_limited',
  store_unavailable: 'unavailable',
  storage_unavailable: 'unavailable',
  overloaded: 'unavailable',
  going_away: 'draining',
}

/** Types that the IETF's draft about rate limit headers has names for. */
const TYPES: Partial<Record<FaultCode, string>> = {
  rate_limited: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
  queue_full: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
  too_many_jobs: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
  overloaded: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
}

/** What 429 and 503 say when nobody knows better, ms: clients must never come back at once. */
const DEFAULT_WAIT_MS = 1_000

/** What a failure is, in this door's words. `internal` is for the log as well. */
export function problemOf(error: unknown, instance: string, requestId: string): Problem {
  if (error instanceof InvalidRequest) {
    const base = problem('invalid_request', 422, error.message, instance, requestId, null)
    return { ...base, errors: error.details }
  }
  const fault = error instanceof FaultError ? error : faultOf(error)
  const { http }: Fault = FAULTS[fault.code]
  const wait = fault.retryAfterMs ?? (http === 429 || http === 503 ? DEFAULT_WAIT_MS : null)
  return problem(fault.code, http, fault.message, instance, requestId, wait)
}

function problem(
  fault: FaultCode,
  status: number,
  detail: string,
  instance: string,
  request_id: string,
  wait: number | null,
): Problem {
  const code = CODES[fault] ?? fault
  const title = `${code[0]?.toUpperCase()}${code.slice(1).replaceAll('_', ' ')}`
  const retryable = wait !== null || [429, 502, 503].includes(status)
  const retry_after_ms = wait === null ? null : Math.ceil(wait)
  const type = TYPES[fault] ?? `urn:parley:problem:${code}`
  return { type, title, status, detail, instance, code, request_id, retryable, retry_after_ms }
}

/** Sends it. */
export function answerProblem(c: Context, body: Problem): Response {
  if (body.retry_after_ms !== null) c.header('Retry-After', String(Math.max(1, Math.ceil(body.retry_after_ms / 1_000))))
  if (body.status === 401) c.header('WWW-Authenticate', 'Bearer')
  // Of a body that was refused the rest is not read, so nothing else can come over its connection.
  const { incoming } = (c.env ?? {}) as Partial<HttpBindings>
  if (incoming?.complete === false) c.header('Connection', 'close')
  c.header('Content-Type', 'application/problem+json')
  c.header('Cache-Control', 'no-store')
  return c.body(JSON.stringify(body), body.status as 400)
}

/** What hono itself throws for a body it cannot read is the caller's mistake; all else is ours. */
function faultOf(error: unknown): FaultError {
  const status = error instanceof HTTPException ? error.status : null
  if (status === 415) return new FaultError('unsupported_media', 'Send the body as application/json.')
  if (status === 400 || error instanceof SyntaxError) {
    return new FaultError('invalid_request', 'The body is not valid JSON.')
  }
  return toFault(error)
}
