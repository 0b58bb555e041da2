/** One thing that can go wrong, as each door tells it. */
export interface Fault {
  /** HTTP status. */
  http: number
  /**
   * WebSocket close code. 4000–4099 stop, 4100–4199 wait then retry, 4200–4299 resume now: a client that does not know
   * a code still knows what to do.
   */
  close: number
  /** `error.type` of the `error` event. */
  type: 'invalid_request_error' | 'server_error' | 'rate_limit_error' | 'insufficient_quota'
  /** `error.code` where OpenAI has a word for it that clients already understand; else the fault's own name. */
  code?: string
}

/** Everything a caller can be told went wrong. HTTP and WebSocket both answer from this table. */
export const FAULTS = {
  // Stop: coming back with the same request cannot help.
  invalid_request: { http: 400, close: 4000, type: 'invalid_request_error' },
  missing_model: { http: 400, close: 4000, type: 'invalid_request_error' },
  invalid_intent: { http: 400, close: 4000, type: 'invalid_request_error' },
  model_not_found: { http: 404, close: 4000, type: 'invalid_request_error' },
  model_not_priced: { http: 400, close: 4000, type: 'invalid_request_error', code: 'invalid_model' },
  invalid_api_key: { http: 401, close: 4001, type: 'invalid_request_error' },
  secret_expired: { http: 401, close: 4002, type: 'invalid_request_error', code: 'invalid_api_key' },
  origin_not_allowed: { http: 403, close: 4003, type: 'invalid_request_error' },
  forbidden: { http: 403, close: 4003, type: 'invalid_request_error' },
  session_not_found: { http: 404, close: 4004, type: 'invalid_request_error' },
  not_found: { http: 404, close: 4004, type: 'invalid_request_error' },
  session_expired: { http: 410, close: 4010, type: 'invalid_request_error' },
  idle_timeout: { http: 408, close: 4011, type: 'invalid_request_error' },
  budget_spent: { http: 402, close: 4012, type: 'insufficient_quota', code: 'insufficient_quota' },
  tenant_suspended: { http: 403, close: 4013, type: 'invalid_request_error', code: 'account_deactivated' },
  protocol_misuse: { http: 400, close: 4014, type: 'invalid_request_error' },
  ended_by_operator: { http: 410, close: 4015, type: 'invalid_request_error', code: 'session_ended' },
  already_exists: { http: 409, close: 4000, type: 'invalid_request_error' },
  in_use: { http: 409, close: 4000, type: 'invalid_request_error' },
  named_in_policy_file: { http: 409, close: 4000, type: 'invalid_request_error' },
  replaced: { http: 409, close: 4020, type: 'invalid_request_error' },
  message_too_big: { http: 413, close: 1009, type: 'invalid_request_error' },
  url_not_allowed: { http: 400, close: 4000, type: 'invalid_request_error' },
  fetch_too_large: { http: 413, close: 1009, type: 'invalid_request_error' },
  idempotency_conflict: { http: 409, close: 4000, type: 'invalid_request_error' },
  idempotency_mismatch: { http: 422, close: 4000, type: 'invalid_request_error' },
  method_not_allowed: { http: 405, close: 4000, type: 'invalid_request_error' },
  range_not_satisfiable: { http: 416, close: 4000, type: 'invalid_request_error' },
  upload_expired: { http: 410, close: 4000, type: 'invalid_request_error' },
  unsupported_version: { http: 412, close: 4000, type: 'invalid_request_error' },
  offset_mismatch: { http: 409, close: 4000, type: 'invalid_request_error' },
  // The status that tus has for it.
  checksum_mismatch: { http: 460, close: 4000, type: 'invalid_request_error' },
  not_supported: { http: 501, close: 4000, type: 'invalid_request_error' },
  wrong_state: { http: 409, close: 4000, type: 'invalid_request_error' },
  length_required: { http: 411, close: 4000, type: 'invalid_request_error' },
  payload_too_large: { http: 413, close: 1009, type: 'invalid_request_error' },
  unsupported_media: { http: 415, close: 4000, type: 'invalid_request_error' },
  media_corrupt: { http: 422, close: 4000, type: 'invalid_request_error' },
  media_too_long: { http: 422, close: 4000, type: 'invalid_request_error' },
  media_too_heavy: { http: 422, close: 4000, type: 'invalid_request_error' },
  media_refused: { http: 422, close: 4000, type: 'invalid_request_error' },
  pixel_limit: { http: 422, close: 4000, type: 'invalid_request_error' },
  deadline_passed: { http: 408, close: 4000, type: 'invalid_request_error' },
  max_cost_reached: { http: 402, close: 4012, type: 'insufficient_quota' },
  // Wait, then retry.
  rate_limited: { http: 429, close: 4100, type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  too_many_sessions: { http: 429, close: 4101, type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  reader_too_slow: { http: 503, close: 4102, type: 'server_error' },
  store_unavailable: { http: 503, close: 4103, type: 'server_error' },
  upstream_unavailable: { http: 502, close: 4104, type: 'server_error' },
  upstream_lost: { http: 502, close: 4104, type: 'server_error' },
  fetch_failed: { http: 502, close: 4104, type: 'server_error' },
  storage_full: { http: 507, close: 1013, type: 'server_error' },
  storage_unavailable: { http: 503, close: 1013, type: 'server_error' },
  queue_full: { http: 429, close: 4100, type: 'rate_limit_error' },
  too_many_jobs: { http: 429, close: 4101, type: 'rate_limit_error' },
  overloaded: { http: 503, close: 1013, type: 'server_error' },
  // Resume now.
  going_away: { http: 503, close: 4200, type: 'server_error' },
  internal: { http: 500, close: 1011, type: 'server_error' },
} as const satisfies Record<string, Fault>

export type FaultCode = keyof typeof FAULTS

/** An expected failure on its way to the door that tells it. The message is shown to callers: no secrets, no content. */
export class FaultError extends Error {
  override readonly name = 'FaultError'
  readonly code: FaultCode
  /** The field or parameter at fault, in the caller's own words. */
  readonly param: string | null
  /** When retrying can help, ms from now. */
  readonly retryAfterMs: number | null
  constructor(
    code: FaultCode,
    message: string,
    detail: { param?: string; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.code = code
    this.param = detail.param ?? null
    this.retryAfterMs = detail.retryAfterMs ?? null
  }
}

/** `error.code` as the outside reads it. */
export function publicCode(code: FaultCode): string {
  const fault: Fault = FAULTS[code]
  return fault.code ?? code
}

const FULL_DISK: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT'])

/** Whatever was thrown, as a caller is told: a full disk is named and worth another try, all else unexpected is ours. */
export function toFault(error: unknown): FaultError {
  if (error instanceof FaultError) return error
  if (FULL_DISK.has((error as { code?: unknown } | null)?.code)) {
    return new FaultError('storage_full', 'There is no room left to work in.', { retryAfterMs: 60_000, cause: error })
  }
  return new FaultError('internal', 'Something went wrong on the server.', { cause: error })
}
