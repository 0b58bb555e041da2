import type { Instant, Ms } from '../units.ts'
import type { EndReason } from './end-reason.ts'

/**
 * One session as data: `opening → live ⇄ parked → draining → ended`. Instants, not timers, so that a state read back from
 * the store needs nothing restored.
 */
export type SessionState =
  /** The provider is being dialled; the caller waits. */
  | { readonly phase: 'opening'; readonly since: Instant; readonly talk: Talk }
  | { readonly phase: 'live'; readonly talk: Talk }
  /** The caller's line dropped; the provider's stays open until `until`. */
  | { readonly phase: 'parked'; readonly since: Instant; readonly until: Instant; readonly talk: Talk }
  /** Decided and told; what the provider still owes in usage is awaited until `until`. */
  | { readonly phase: 'draining'; readonly until: Instant; readonly reason: EndReason; readonly talk: Talk }
  | { readonly phase: 'ended'; readonly reason: EndReason }

/** What is true of a conversation whatever its phase. */
export interface Talk {
  /** When the caller was admitted: the length cap counts from here. */
  readonly admitted: Instant
  /** How many of the policy's length warnings have been given. */
  readonly warningsGiven: number
  /** `due` while a response that was already running keeps the goodbye waiting. */
  readonly wrapUp: 'ahead' | 'due' | 'asked'
  /** When the present utterance of the caller began. */
  readonly speakingSince: Instant | null
  /** When a response was asked for that the provider has not started yet. */
  readonly awaitingSince: Instant | null
  /** Responses being generated, by id. */
  readonly responses: ReadonlySet<string>
  /** User items whose transcription the provider still owes. */
  readonly transcriptions: ReadonlySet<string>
  /** When the caller will have heard all audio sent so far, if it plays at natural speed. */
  readonly playingUntil: Instant
  /** Tool calls that the caller has not answered, and when each was made. */
  readonly tools: ReadonlyMap<string, Instant>
  /** When either side last did something that counts. */
  readonly quietSince: Instant
  /** Idle time spent before the clock was paused without activity of the caller. */
  readonly idleSpent: Ms
  readonly idleWarned: boolean
  /** How often in a row the model has asked whether anybody is there. */
  readonly nudges: number
  /** Set once the node drains: leave at the next turn boundary, or at `by`. */
  readonly leaving: { readonly by: Instant; readonly atTurnBoundary: boolean } | null
}

export type SessionEvent =
  | { type: 'upstream_opened' }
  | { type: 'upstream_failed' }
  /** `ended`: the provider closed properly; otherwise the line broke or went silent. */
  | { type: 'upstream_closed'; ended: boolean }
  | { type: 'caller_spoke' }
  | { type: 'caller_fell_silent' }
  /** Text, a tool result or a request of the caller: it is there, and means something. */
  | { type: 'caller_acted' }
  | { type: 'response_requested' }
  | { type: 'response_refused' }
  | { type: 'response_started'; id: string }
  | { type: 'response_ended'; id: string }
  /** The provider made itself answer silence (its `idle_timeout_ms`): no sign of the caller. */
  | { type: 'provider_prompted_itself' }
  /** Audio was passed on that plays for `duration` from `since` on, or from the end of what is still playing. */
  | { type: 'audio_sent'; duration: Ms; since: Instant }
  /** The caller stopped playing what it had been sent. */
  | { type: 'playback_cut' }
  | { type: 'tool_called'; callId: string }
  | { type: 'tool_answered'; callId: string }
  | { type: 'transcription_owed'; itemId: string }
  | { type: 'transcription_settled'; itemId: string }
  | { type: 'caller_hung_up' }
  | { type: 'caller_dropped'; resumable: boolean }
  | { type: 'caller_returned' }
  /** What is kept for a parked caller is full. */
  | { type: 'replay_full' }
  | { type: 'end_requested'; reason: EndReason }
  | { type: 'node_draining'; by: Instant; resumable: boolean }
  /** The node cannot wait for anything any more. */
  | { type: 'node_stopping' }
  /** An alarm rang. A hint to look, no more. */
  | { type: 'deadline' }

/** What the world must do next. Plain data, so that a test can simply read it. */
export type Effect =
  | { type: 'warn_length'; remaining: Ms }
  | { type: 'warn_idle'; remaining: Ms }
  /** The idle warning that was given no longer holds. */
  | { type: 'idle_over' }
  | { type: 'ask_model'; why: 'nudge' | 'wrap_up'; instructions: string; maxOutputTokens: number | null }
  | { type: 'cancel_responses'; ids: readonly string[] }
  | { type: 'parked'; until: Instant }
  | { type: 'returned' }
  | { type: 'announce_drain'; by: Instant }
  /** Tell the caller, if one is there, why this is over, and close its connection. */
  | { type: 'dismiss_caller'; reason: EndReason }
  | { type: 'close_upstream' }
  /** Last of all: record the reason, give back what was held. */
  | { type: 'ended'; reason: EndReason }

export interface Step {
  readonly state: SessionState
  readonly effects: readonly Effect[]
}

/** A session at admission. `admitted` lies before `now` when it was carried over from a node that died. */
export function begin(now: Instant, admitted: Instant = now): SessionState {
  const talk: Talk = {
    admitted,
    warningsGiven: 0,
    wrapUp: 'ahead',
    speakingSince: null,
    awaitingSince: null,
    responses: new Set(),
    transcriptions: new Set(),
    playingUntil: now,
    tools: new Map(),
    quietSince: now,
    idleSpent: 0 as Ms,
    idleWarned: false,
    nudges: 0,
    leaving: null,
  }
  return { phase: 'opening', since: now, talk }
}
