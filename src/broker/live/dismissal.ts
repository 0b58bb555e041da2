import { randomUUID } from 'node:crypto'
import { FAULTS, type Fault, FaultError, publicCode } from '../../faults.ts'
import type { Peer } from '../../frames/peer.ts'
import type { EndReason } from '../../session/end-reason.ts'
import type { SessionPolicy } from '../../session/policy.ts'

/**
 * An `error` event in OpenAI's shape. `eventId` is the caller's own id of the event at fault, or null; `code` a finer
 * word of OpenAI's than the fault's own.
 */
export function errorEvent(fault: FaultError, eventId: string | null = null, code = publicCode(fault.code)): string {
  const { type } = FAULTS[fault.code] as Fault
  return JSON.stringify({
    type: 'error',
    event_id: `event_${randomUUID()}`,
    error: { type, code, message: fault.message, param: fault.param, event_id: eventId, ...retryHint(fault) },
  })
}

/** An extra field, which OpenAI's clients pass over: how long to wait before coming back, ms. */
function retryHint({ retryAfterMs }: FaultError): { retry_after_ms?: number } {
  return retryAfterMs === null ? {} : { retry_after_ms: retryAfterMs }
}

/** Longest reason a close frame can carry, bytes (RFC 6455, 5.5.1). */
const LONGEST_REASON = 123

/** What it takes to part with a caller. */
export type Leaving = Pick<Peer, 'send' | 'close' | 'terminate'>

/** Says what is wrong, then closes. */
export function closeWith(peer: Leaving, fault: FaultError): void {
  peer.send(errorEvent(fault))
  closeFor(peer, fault)
}

/** Closes with the fault's code and OpenAI's form of reason, `type.code`. */
export function closeFor(peer: Leaving, fault: FaultError): void {
  const { type, close } = FAULTS[fault.code] as Fault
  peer.close(close, `${type}.${publicCode(fault.code)}`.slice(0, LONGEST_REASON))
}

/** What decides how the end is told, besides its reason. */
export interface Farewell {
  policy: SessionPolicy
  isResumable: boolean
  /** Why no provider could be had, in words a caller understands. */
  fault: FaultError | null
  /** How the provider closed its side, if it did. */
  closure: { code: number; reason: string } | null
}

/** Tells a caller the end of its session and closes its connection. */
export function dismiss(peer: Leaving, reason: EndReason, farewell: Farewell): void {
  const { policy, isResumable, fault, closure } = farewell
  if (reason === 'reader_too_slow') return peer.terminate()
  // The provider has already said why, in its own event.
  if (reason === 'upstream_ended' && closure !== null) return peer.close(closure.code, closure.reason)
  const told = fault ?? endFault(reason, policy)
  if (told === null) return peer.close(1000, '')
  // A client that cannot resume with a token of ours knows 1001 as "come back": it starts afresh elsewhere.
  if (reason === 'going_away' && !isResumable) return peer.close(1001, 'going away')
  closeWith(peer, told)
}

/** How the end of a session is told to the caller; null where the caller needs no telling. */
export function endFault(reason: EndReason, policy: SessionPolicy): FaultError | null {
  const told: Partial<Record<EndReason, FaultError>> = {
    session_expired: new FaultError(
      'session_expired',
      `Your session hit the maximum duration of ${humanLength(policy.maxDuration)}.`,
    ),
    idle_timeout: new FaultError(
      'idle_timeout',
      `Your session was closed because nobody spoke${policy.idle === null ? '' : ` for ${humanLength(policy.idle.limit)}`}.`,
    ),
    upstream_unavailable: new FaultError('upstream_unavailable', 'The model provider could not be reached.'),
    upstream_lost: new FaultError('upstream_lost', 'The connection to the model provider was lost.'),
    ended_by_operator: new FaultError('ended_by_operator', 'The session was ended by its operator.'),
    credential_revoked: new FaultError('tenant_suspended', 'The credential of this session is not valid any more.'),
    reader_too_slow: new FaultError('reader_too_slow', 'Events were not read as fast as they came.'),
    protocol_misuse: new FaultError('protocol_misuse', 'Too many events that could not be understood.'),
    budget_spent: new FaultError('budget_spent', 'The budget of this session or account is used up.'),
    rate_limited: new FaultError('rate_limited', 'Too many responses were asked for although they had been refused.'),
    store_unavailable: new FaultError('store_unavailable', 'Limits cannot be checked right now.'),
    going_away: new FaultError('going_away', 'This server is shutting down.'),
    node_lost: new FaultError('upstream_lost', 'The server that held the session was lost.'),
    internal: new FaultError('internal', 'Something went wrong on the server.'),
  }
  return told[reason] ?? null
}

function humanLength(length: number): string {
  if (length % 60_000 === 0) return length === 60_000 ? '1 minute' : `${length / 60_000} minutes`
  return length === 1_000 ? '1 second' : `${length / 1_000} seconds`
}
