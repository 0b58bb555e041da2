import { between, type Instant, later } from '../units.ts'
import { due } from './due.ts'
import type { EndReason } from './end-reason.ts'
import type { SessionPolicy } from './policy.ts'
import type { Effect, SessionEvent, SessionState, Step, Talk } from './state.ts'
import { absorb, isOwedUsage, pauseIdle } from './talk.ts'

/** Decides what an event means for a session. Pure: the same arguments always give the same step. */
export function transition(state: SessionState, event: SessionEvent, policy: SessionPolicy, now: Instant): Step {
  switch (state.phase) {
    case 'opening':
      return opening(state, event, policy, now)
    case 'live':
      return live(state, event, policy, now)
    case 'parked':
      return parked(state, event, policy, now)
    case 'draining':
      return draining(state, event, policy, now)
    case 'ended':
      return { state, effects: [] }
  }
}

type In<P extends SessionState['phase']> = Extract<SessionState, { phase: P }>

function opening(state: In<'opening'>, event: SessionEvent, policy: SessionPolicy, now: Instant): Step {
  switch (event.type) {
    case 'upstream_opened': {
      // The caller could do nothing before now, so its silence counts from here.
      const talk = { ...state.talk, quietSince: now, playingUntil: now }
      return onTheClock({ phase: 'live', talk }, [], policy, now)
    }
    case 'upstream_failed':
    case 'upstream_closed':
      return finish('upstream_unavailable')
    case 'caller_hung_up':
      return finish('caller_hung_up')
    case 'caller_dropped':
      return finish('caller_lost')
    case 'end_requested':
      return finish(event.reason)
    case 'node_draining':
    case 'node_stopping':
      return finish('going_away')
    default:
      if (now >= later(state.talk.admitted, policy.maxDuration)) return finish('session_expired')
      if (now >= later(state.since, policy.opening)) return finish('upstream_unavailable')
      return { state, effects: [] }
  }
}

function live(state: In<'live'>, event: SessionEvent, policy: SessionPolicy, now: Instant): Step {
  switch (event.type) {
    case 'caller_hung_up':
      return drain('caller_hung_up', state.talk, policy, now)
    case 'caller_dropped': {
      if (!event.resumable || policy.resumeWindow === null) return drain('caller_lost', state.talk, policy, now)
      const until = later(now, policy.resumeWindow)
      const talk = pauseIdle(state.talk, policy, now)
      return onTheClock({ phase: 'parked', since: now, until, talk }, [{ type: 'parked', until }], policy, now)
    }
    case 'upstream_closed':
      return drain(event.ended ? 'upstream_ended' : 'upstream_lost', withoutUpstream(state.talk), policy, now)
    case 'end_requested':
      return drain(event.reason, state.talk, policy, now)
    case 'node_draining': {
      const leaving = { by: event.by, atTurnBoundary: event.resumable }
      return onTheClock(
        { phase: 'live', talk: { ...state.talk, leaving } },
        [{ type: 'announce_drain', by: event.by }],
        policy,
        now,
      )
    }
    case 'node_stopping':
      return finish('going_away')
    default: {
      const talk = absorb(state.talk, event, policy, now)
      const over: Effect[] = state.talk.idleWarned && !talk.idleWarned ? [{ type: 'idle_over' }] : []
      return onTheClock({ phase: 'live', talk }, over, policy, now)
    }
  }
}

function parked(state: In<'parked'>, event: SessionEvent, policy: SessionPolicy, now: Instant): Step {
  switch (event.type) {
    case 'caller_returned': {
      const talk = resumeIdle(state.talk, state.since, now)
      return onTheClock({ phase: 'live', talk }, [{ type: 'returned' }], policy, now)
    }
    case 'caller_hung_up':
      return drain('caller_hung_up', state.talk, policy, now)
    case 'upstream_closed':
      return drain(event.ended ? 'upstream_ended' : 'upstream_lost', withoutUpstream(state.talk), policy, now)
    case 'end_requested':
      return drain(event.reason, state.talk, policy, now)
    case 'node_draining':
      // Nobody is here to be told; the caller comes back to another node.
      return drain('going_away', state.talk, policy, now)
    case 'node_stopping':
      return finish('going_away')
    case 'replay_full':
      return { state, effects: cancelling(state.talk) }
    default: {
      const next = { ...state, talk: absorb(state.talk, event, policy, now) }
      if (now >= state.until) return drain('caller_lost', next.talk, policy, now)
      return onTheClock(next, [], policy, now)
    }
  }
}

function draining(state: In<'draining'>, event: SessionEvent, policy: SessionPolicy, now: Instant): Step {
  if (event.type === 'upstream_closed' || event.type === 'node_stopping') return finish(state.reason)
  const talk = absorb(state.talk, event, policy, now)
  if (!isOwedUsage(talk) || now >= state.until) return finish(state.reason)
  // A response that started after the decision is nobody's: stop paying for it.
  const effects = event.type === 'response_started' ? cancelling(talk) : []
  return { state: { ...state, talk }, effects }
}

/** Asked after every event, not only when an alarm rings: ends or changes the conversation as time demands. */
function onTheClock(state: In<'live' | 'parked'>, before: Effect[], policy: SessionPolicy, now: Instant): Step {
  const effects = [...before]
  let talk = state.talk
  for (;;) {
    const next = due(talk, policy, now, state.phase === 'live')
    if (next === null) break
    if ('end' in next) {
      const step = drain(next.end, talk, policy, now)
      return { state: step.state, effects: [...effects, ...step.effects] }
    }
    talk = next.talk
    effects.push(...next.effects)
  }
  return { state: { ...state, talk }, effects }
}

/** The end is decided: told at once, and spending stops; the provider's line stays open while it owes usage. */
function drain(reason: EndReason, talk: Talk, policy: SessionPolicy, now: Instant): Step {
  const told: Effect = { type: 'dismiss_caller', reason }
  if (!isOwedUsage(talk)) return finish(reason)
  const state: SessionState = { phase: 'draining', until: later(now, policy.lastUsage), reason, talk }
  return { state, effects: [told, ...cancelling(talk)] }
}

function finish(reason: EndReason): Step {
  return {
    state: { phase: 'ended', reason },
    effects: [{ type: 'dismiss_caller', reason }, { type: 'close_upstream' }, { type: 'ended', reason }],
  }
}

function cancelling(talk: Talk): Effect[] {
  return talk.responses.size === 0 ? [] : [{ type: 'cancel_responses', ids: [...talk.responses] }]
}

/** A provider that is gone owes nothing any more. */
function withoutUpstream(talk: Talk): Talk {
  return { ...talk, responses: new Set(), transcriptions: new Set(), awaitingSince: null }
}

/** The time in which the caller was away counts neither as silence nor as speech. */
function resumeIdle(talk: Talk, since: Instant, now: Instant): Talk {
  const speakingSince = talk.speakingSince === null ? null : later(talk.speakingSince, between(since, now))
  return { ...talk, quietSince: now, speakingSince, idleWarned: false }
}
