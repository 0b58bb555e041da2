/** What a request over HTTP is asked to get wrong, all on demand: `x-loopback-fault`, `fault=` in the query, or for all. */
export interface HttpFault {
  /** The answer comes this much later, ms. */
  delay?: number
  /** The line is cut: 1 before anything is answered, n after n - 1 events of a stream, or in the middle of a body. */
  drop?: number
  /** The answer is no JSON. */
  malformed?: number
  /** Refused with this HTTP status. */
  refuse?: number
  /** 429, to be tried again after so many seconds. */
  rateLimited?: number
  /** 429 for want of money. */
  quota?: number
  missingUsage?: number
  /** The answer stops half way although the media goes on, and says nothing of it. */
  cut?: number
  /** The answer is not sure of itself. */
  unsure?: number
  /** Nothing is answered and the line stays up. */
  silent?: number
}

/** What was bought, as the provider counts it. */
export interface Sold {
  model: string
  usage: Record<string, unknown>
}

export type Reply =
  | { type: 'refusal'; status: number; body: Record<string, unknown>; headers?: Record<string, string> }
  | { type: 'json'; body: Record<string, unknown>; bill: Sold }
  | { type: 'text'; text: string; contentType: string; bill: Sold }
  /** `named`: events carry their type as `event:` too, as the Responses API does; `isEnded`: `[DONE]` comes last. */
  | { type: 'events'; events: Record<string, unknown>[]; named?: boolean; isEnded?: boolean; bill: Sold }

/** An error in the service's own shape. */
export function refused(
  status: number,
  code: string | null,
  message: string,
  param: string | null,
  headers: Record<string, string> = {},
): Reply {
  const type = status === 429 ? 'requests' : status >= 500 ? 'server_error' : 'invalid_request_error'
  return { type: 'refusal', status, body: { error: { message, type, param, code } }, headers }
}
