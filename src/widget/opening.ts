import type { CallEvent, CallState, Effect, Session, Step, Talk } from './call-state.ts'
import { stay } from './call-state.ts'
import { append, causeOf, end, introduced, kept, muted, sendKept, withError } from './call-steps.ts'
import { interrupts } from './received.ts'
import type { ServerEvent } from './server-events.ts'

/** How long a first connection may take, until `parley.session` is here. */
export const DIAL_MS = 15_000

const NEW_TALK: Talk = {
  microphone: 'off',
  isMuted: false,
  mutedAt: null,
  lines: [],
  costNanoUsd: 0,
  beganAt: null,
  unsent: [],
  written: 0,
  lastError: null,
}

export function begin(isSpoken: boolean): Step {
  const talk: Talk = { ...NEW_TALK, microphone: isSpoken ? 'asking' : 'off' }
  const effects: Effect[] = isSpoken
    ? [{ type: 'fetch_secret' }, { type: 'open_microphone' }]
    : [{ type: 'fetch_secret' }]
  return { state: { phase: 'preparing', talk, secret: null }, effects }
}

export function preparing(state: Extract<CallState, { phase: 'preparing' }>, event: CallEvent, now: number): Step {
  switch (event.type) {
    case 'secret':
      return dialWhenReady({ ...state, secret: event.value }, now)
    case 'secret_failed':
      return end(state, 'secret_unavailable', now)
    case 'microphone_ready':
      return dialWhenReady({ ...state, talk: { ...state.talk, microphone: 'on' } }, now)
    case 'microphone_failed':
      return end(state, event.why === 'not_supported' ? event.why : `microphone_${event.why}`, now)
    case 'captured':
      return stay({ ...state, talk: kept(state.talk, append(event.audio)) })
    case 'mute':
      return muted(state, event.isMuted, now)
    case 'hang_up':
      return end(state, 'caller_hung_up', now)
    default:
      return stay(state)
  }
}

/** The session's clock runs from the first connection on, so nobody connects before the microphone question is settled. */
function dialWhenReady(state: Extract<CallState, { phase: 'preparing' }>, now: number): Step {
  const { talk, secret } = state
  if (secret === null || talk.microphone === 'asking') return stay(state)
  return stay(
    { phase: 'connecting', talk, since: now, interrupts: true },
    { type: 'dial', credential: secret, resumeFrom: null },
  )
}

export function connecting(state: Extract<CallState, { phase: 'connecting' }>, event: CallEvent, now: number): Step {
  switch (event.type) {
    case 'received':
      return firstWords(state, event.event, now)
    case 'closed':
      return end(state, causeOf(event.code, state.talk, null) ?? 'unreachable', now)
    case 'deadline':
      return now >= state.since + DIAL_MS ? end(state, 'unreachable', now) : stay(state)
    case 'captured':
      return stay({ ...state, talk: kept(state.talk, append(event.audio)) })
    case 'mute':
      return muted(state, event.isMuted, now)
    case 'microphone_failed':
      return stay({ ...state, talk: { ...state.talk, microphone: 'lost' } })
    case 'hang_up':
      return end(state, 'caller_hung_up', now)
    default:
      return stay(state)
  }
}

function firstWords(state: Extract<CallState, { phase: 'connecting' }>, event: ServerEvent, now: number): Step {
  const { talk } = state
  if (event.type === 'error') {
    return stay({ ...state, talk: withError(talk, event.error) })
  }
  if (event.type === 'session.created') return stay({ ...state, interrupts: interrupts(event.session) })
  if (event.type !== 'parley.session') return stay(state)
  const session: Session = {
    ...introduced(event, now),
    acknowledged: 0,
    acknowledgedAt: now,
    isEnding: false,
    idleEndsAt: null,
    throttledUntil: null,
    budgetPercent: null,
    isGoingAway: false,
    interrupts: state.interrupts,
    isHearing: false,
    responseId: null,
    sounding: [],
    isSpeaking: false,
    cut: [],
    lastReceivedAt: now,
    pongBy: null,
    wantsAnswer: false,
    notice: null,
    told: null,
  }
  return sendKept({ phase: 'live', talk: { ...talk, beganAt: now }, session })
}
