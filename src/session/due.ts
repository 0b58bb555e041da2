import { earlier, earliest, type Instant, later, ms } from '../units.ts'
import type { EndReason } from './end-reason.ts'
import type { SessionPolicy } from './policy.ts'
import type { Effect, SessionState, Talk } from './state.ts'
import { AWAITED_AT_MOST, atTurnBoundary, idleDeadline, isAwaited, lengthLeft } from './talk.ts'

/** What time alone has brought about: an end, or a change of the conversation with its effects. Null: nothing yet. */
export type Due = { end: EndReason } | { talk: Talk; effects: readonly Effect[] } | null

/**
 * The first thing that is due in a conversation at `now`. Asked again until nothing is. `talkDeadline` below must name
 * the instant at which this answer changes; a test walks both sides of it.
 */
export function due(talk: Talk, policy: SessionPolicy, now: Instant, present: boolean): Due {
  const left = lengthLeft(talk, policy, now)
  if (left <= 0) return { end: 'session_expired' }
  if (talk.leaving !== null) {
    if (now >= talk.leaving.by) return { end: 'going_away' }
    if (talk.leaving.atTurnBoundary && atTurnBoundary(talk, now)) return { end: 'going_away' }
  }
  const idleEnd = present ? idleDeadline(talk, policy) : null
  if (idleEnd !== null && now >= idleEnd) return idleLimit(talk, policy, now)
  if (!present) return null

  const warning = policy.durationWarnings[talk.warningsGiven]
  if (warning !== undefined && left <= warning) {
    const given = policy.durationWarnings.filter((before) => left <= before).length
    return { talk: { ...talk, warningsGiven: given }, effects: [{ type: 'warn_length', remaining: left }] }
  }
  if (policy.wrapUp !== null && talk.wrapUp !== 'asked' && left <= policy.wrapUp.before) {
    if (talk.responses.size > 0 || isAwaited(talk, now)) {
      return talk.wrapUp === 'due' ? null : { talk: { ...talk, wrapUp: 'due' }, effects: [] }
    }
    const { instructions, maxOutputTokens } = policy.wrapUp
    return {
      talk: { ...talk, wrapUp: 'asked', awaitingSince: now },
      effects: [{ type: 'ask_model', why: 'wrap_up', instructions, maxOutputTokens }],
    }
  }
  const idle = policy.idle
  if (idle !== null && idleEnd !== null && !talk.idleWarned && idle.warnBefore > 0 && isLastRound(talk, policy)) {
    const remaining = ms(idleEnd - now)
    if (remaining <= idle.warnBefore) {
      return { talk: { ...talk, idleWarned: true }, effects: [{ type: 'warn_idle', remaining }] }
    }
  }
  return null
}

/** The next instant at which `due` may answer differently if no event comes before it. */
export function talkDeadline(talk: Talk, policy: SessionPolicy, present: boolean): Instant {
  const end = later(talk.admitted, policy.maxDuration)
  const instants: Instant[] = [end]
  if (talk.leaving !== null) {
    instants.push(talk.leaving.by)
    if (talk.leaving.atTurnBoundary && atTurnBoundary(talk, talk.playingUntil)) instants.push(talk.playingUntil)
  }
  if (present) {
    const warning = policy.durationWarnings[talk.warningsGiven]
    if (warning !== undefined) instants.push(earlier(end, warning))
    if (policy.wrapUp !== null && talk.wrapUp === 'ahead') instants.push(earlier(end, policy.wrapUp.before))
    if (talk.wrapUp === 'due' && talk.responses.size === 0 && talk.awaitingSince !== null) {
      instants.push(later(talk.awaitingSince, AWAITED_AT_MOST))
    }
    const idleEnd = idleDeadline(talk, policy)
    if (idleEnd !== null && policy.idle !== null) {
      instants.push(idleEnd)
      if (!talk.idleWarned && policy.idle.warnBefore > 0 && isLastRound(talk, policy)) {
        instants.push(earlier(idleEnd, policy.idle.warnBefore))
      }
    }
  }
  return instants.reduce(earliest)
}

/** The one instant at which the session must be looked at again; null once it is over. */
export function nextDeadline(state: SessionState, policy: SessionPolicy): Instant | null {
  switch (state.phase) {
    case 'opening':
      return earliest(later(state.since, policy.opening), later(state.talk.admitted, policy.maxDuration))
    case 'live':
      return talkDeadline(state.talk, policy, true)
    case 'parked':
      return earliest(talkDeadline(state.talk, policy, false), state.until)
    case 'draining':
      return state.until
    case 'ended':
      return null
  }
}

function idleLimit(talk: Talk, policy: SessionPolicy, now: Instant): Due {
  const nudge = policy.idle?.nudge ?? null
  if (nudge === null || talk.nudges >= nudge.times) return { end: 'idle_timeout' }
  return {
    talk: {
      ...talk,
      nudges: talk.nudges + 1,
      awaitingSince: now,
      quietSince: now,
      idleSpent: ms(0),
      idleWarned: false,
    },
    effects: [{ type: 'ask_model', why: 'nudge', instructions: nudge.instructions, maxOutputTokens: null }],
  }
}

/** A nudge still to come is warning enough; the countdown belongs to the round that ends in the cut. */
function isLastRound(talk: Talk, policy: SessionPolicy): boolean {
  return talk.nudges >= (policy.idle?.nudge?.times ?? 0)
}
