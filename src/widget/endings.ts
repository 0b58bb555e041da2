import type { ParleyServerEvent } from '../wire/parley-events.ts'

type SessionEnded = Extract<ParleyServerEvent, { type: 'parley.session_ended' }>

/** Everything that can end a conversation, or keep one from beginning: Parley's own reasons, and what only a page meets. */
export type EndCause =
  | SessionEnded['reason']
  /** The page's backend gave no secret. */
  | 'secret_unavailable'
  /** Parley did not take the secret: used up, too old, or never one. */
  | 'secret_refused'
  /** No connection came about at all: no network, a wrong address, or a page that may not connect. */
  | 'unreachable'
  /** The network did not come back within the resume window. */
  | 'connection_lost'
  /** Back in time for nothing: the session is over or unknown. */
  | 'session_gone'
  | 'too_many_sessions'
  | 'overloaded'
  /** The request itself can never succeed: model, origin, key. */
  | 'misconfigured'
  /** The conversation went on in another connection. */
  | 'replaced'
  | 'microphone_denied'
  | 'microphone_missing'
  | 'microphone_busy'
  /** No AudioWorklet, or a page that is no secure context. */
  | 'not_supported'

/** What a person can do next. */
export type NextStep =
  /** A new conversation can begin at once. */
  | 'start_again'
  /** The same after a while. */
  | 'wait'
  /** Only whoever runs the page can help. */
  | 'ask_owner'
  /** After the microphone has been seen to; writing works without. */
  | 'fix_microphone'

export interface Outcome {
  next: NextStep
  /** `good`: as it should be. `plain`: nothing is broken. `bad`: something is. */
  tone: 'good' | 'plain' | 'bad'
}

/** One line for each cause; the words are in `strings.ts` under the same names. */
export const OUTCOMES: Readonly<Record<EndCause, Outcome>> = {
  caller_hung_up: { next: 'start_again', tone: 'good' },
  caller_lost: { next: 'start_again', tone: 'plain' },
  session_expired: { next: 'start_again', tone: 'plain' },
  idle_timeout: { next: 'start_again', tone: 'plain' },
  upstream_unavailable: { next: 'wait', tone: 'bad' },
  upstream_lost: { next: 'start_again', tone: 'bad' },
  upstream_ended: { next: 'start_again', tone: 'plain' },
  ended_by_operator: { next: 'ask_owner', tone: 'plain' },
  credential_revoked: { next: 'ask_owner', tone: 'bad' },
  reader_too_slow: { next: 'start_again', tone: 'bad' },
  protocol_misuse: { next: 'ask_owner', tone: 'bad' },
  budget_spent: { next: 'ask_owner', tone: 'plain' },
  rate_limited: { next: 'wait', tone: 'plain' },
  store_unavailable: { next: 'wait', tone: 'bad' },
  going_away: { next: 'start_again', tone: 'plain' },
  node_lost: { next: 'start_again', tone: 'bad' },
  internal: { next: 'start_again', tone: 'bad' },
  secret_unavailable: { next: 'wait', tone: 'bad' },
  secret_refused: { next: 'start_again', tone: 'bad' },
  unreachable: { next: 'wait', tone: 'bad' },
  connection_lost: { next: 'start_again', tone: 'bad' },
  session_gone: { next: 'start_again', tone: 'plain' },
  too_many_sessions: { next: 'wait', tone: 'plain' },
  overloaded: { next: 'wait', tone: 'plain' },
  misconfigured: { next: 'ask_owner', tone: 'bad' },
  replaced: { next: 'start_again', tone: 'plain' },
  microphone_denied: { next: 'fix_microphone', tone: 'plain' },
  microphone_missing: { next: 'fix_microphone', tone: 'plain' },
  microphone_busy: { next: 'fix_microphone', tone: 'plain' },
  not_supported: { next: 'fix_microphone', tone: 'bad' },
}

/** What a close code says where Parley told no reason before it; the table is the README's. */
const BY_CODE: Readonly<Record<number, EndCause>> = {
  1000: 'caller_hung_up',
  1001: 'going_away',
  1002: 'protocol_misuse',
  1007: 'protocol_misuse',
  1009: 'protocol_misuse',
  1011: 'internal',
  1013: 'overloaded',
  4000: 'misconfigured',
  4001: 'secret_refused',
  4002: 'secret_refused',
  4003: 'misconfigured',
  4004: 'session_gone',
  4010: 'session_expired',
  4011: 'idle_timeout',
  4012: 'budget_spent',
  4013: 'credential_revoked',
  4014: 'protocol_misuse',
  4015: 'ended_by_operator',
  4020: 'replaced',
  4100: 'rate_limited',
  4101: 'too_many_sessions',
  4102: 'reader_too_slow',
  4103: 'store_unavailable',
  4104: 'upstream_unavailable',
  4200: 'going_away',
}

/** Codes that say no more than that the line is gone. */
const LINE_LOST: ReadonlySet<number> = new Set([1005, 1006, 1012, 1014, 1015])

/** The cause behind a close code; null where only the line is gone. Unknown codes go by their range. */
export function causeOfCode(code: number): EndCause | null {
  const known = BY_CODE[code]
  if (known !== undefined) return known
  if (LINE_LOST.has(code)) return null
  if (code >= 4_100 && code < 4_200) return 'overloaded'
  if (code >= 4_200 && code < 4_300) return 'going_away'
  return 'internal'
}

/** True where coming back with the resume token can help. */
export function mayResume(code: number): boolean {
  return LINE_LOST.has(code) || code === 1_001 || code === 1_013 || (code >= 4_200 && code < 4_300)
}
