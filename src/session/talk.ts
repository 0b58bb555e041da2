import { between, earlier, type Instant, later, latest, type Ms, ms } from '../units.ts'
import type { SessionPolicy } from './policy.ts'
import type { SessionEvent, Talk } from './state.ts'

/** How long a response that was asked for holds the idle clock before it has started. */
export const AWAITED_AT_MOST = ms(10_000)

/** The conversation after an event that concerns what the two sides are doing; the same object when nothing changed. */
export function absorb(talk: Talk, event: SessionEvent, policy: SessionPolicy, now: Instant): Talk {
  switch (event.type) {
    case 'caller_spoke':
      return active({ ...talk, speakingSince: talk.speakingSince ?? now }, now)
    case 'caller_fell_silent':
      return talk.speakingSince === null ? talk : active({ ...talk, speakingSince: null }, now)
    case 'caller_acted':
      return active(talk, now)
    case 'response_requested':
      return { ...talk, awaitingSince: now }
    case 'response_refused':
      return talk.awaitingSince === null ? talk : busyUntil({ ...talk, awaitingSince: null }, now)
    case 'response_started':
      return busyUntil({ ...talk, awaitingSince: null, responses: withMember(talk.responses, event.id) }, now)
    case 'response_ended':
      if (!talk.responses.has(event.id)) return talk
      return busyUntil({ ...talk, responses: without(talk.responses, event.id) }, now)
    case 'provider_prompted_itself':
      return pauseIdle(talk, policy, now)
    case 'audio_sent':
      return { ...talk, playingUntil: later(latest(talk.playingUntil, event.since), event.duration) }
    case 'playback_cut':
      return talk.playingUntil <= now ? talk : busyUntil({ ...talk, playingUntil: now }, now)
    case 'tool_called':
      return { ...talk, tools: new Map(talk.tools).set(event.callId, now) }
    case 'tool_answered': {
      const tools = new Map(talk.tools)
      tools.delete(event.callId)
      return active({ ...talk, tools }, now)
    }
    case 'transcription_owed':
      return { ...talk, transcriptions: withMember(talk.transcriptions, event.itemId) }
    case 'transcription_settled':
      if (!talk.transcriptions.has(event.itemId)) return talk
      return { ...talk, transcriptions: without(talk.transcriptions, event.itemId) }
    default:
      return talk
  }
}

/**
 * When the idle clock began to run, or will: the last of everything that holds it. Null while a response is being
 * generated, which holds it for as long as it takes.
 */
export function quietFrom(talk: Talk, policy: SessionPolicy): Instant | null {
  if (talk.responses.size > 0) return null
  let from = latest(talk.quietSince, talk.playingUntil)
  if (talk.speakingSince !== null) from = latest(from, later(talk.speakingSince, policy.longestUtterance))
  if (talk.awaitingSince !== null) from = latest(from, later(talk.awaitingSince, AWAITED_AT_MOST))
  for (const called of talk.tools.values()) from = latest(from, later(called, policy.toolTimeout))
  return from
}

/** When the idle limit is reached if nothing happens any more; null while the clock cannot run. */
export function idleDeadline(talk: Talk, policy: SessionPolicy): Instant | null {
  if (policy.idle === null) return null
  const from = quietFrom(talk, policy)
  return from === null ? null : earlier(later(from, policy.idle.limit), talk.idleSpent)
}

/** Stops the idle clock without forgiving what it has run: for times in which the caller gave no sign of itself. */
export function pauseIdle(talk: Talk, policy: SessionPolicy, now: Instant): Talk {
  const from = quietFrom(talk, policy)
  if (from === null || from >= now) return talk
  return { ...talk, idleSpent: ms(talk.idleSpent + between(from, now)), quietSince: now }
}

/** Nobody is in the middle of anything: a session can move to another node here without a word lost. */
export function atTurnBoundary(talk: Talk, now: Instant): boolean {
  return (
    talk.responses.size === 0 &&
    talk.awaitingSince === null &&
    talk.speakingSince === null &&
    talk.tools.size === 0 &&
    talk.playingUntil <= now
  )
}

/** A response was asked for and may still start; one that was lost is not waited for without end. */
export function isAwaited(talk: Talk, now: Instant): boolean {
  return talk.awaitingSince !== null && now < later(talk.awaitingSince, AWAITED_AT_MOST)
}

/** What the provider has yet to report usage for. */
export function isOwedUsage(talk: Talk): boolean {
  return talk.responses.size > 0 || talk.awaitingSince !== null || talk.transcriptions.size > 0
}

/** The caller did something: the idle clock starts afresh. */
function active(talk: Talk, now: Instant): Talk {
  return { ...talk, quietSince: now, idleSpent: ms(0), idleWarned: false, nudges: 0 }
}

/** Something that held the idle clock has ended now; what had run before it still counts only if it was paused. */
function busyUntil(talk: Talk, now: Instant): Talk {
  return { ...talk, quietSince: latest(talk.quietSince, now), idleWarned: false }
}

function withMember(set: ReadonlySet<string>, member: string): ReadonlySet<string> {
  return new Set(set).add(member)
}

function without(set: ReadonlySet<string>, member: string): ReadonlySet<string> {
  const rest = new Set(set)
  rest.delete(member)
  return rest
}

/** Milliseconds left of the session's length. */
export function lengthLeft(talk: Talk, policy: SessionPolicy, now: Instant): Ms {
  return between(now, later(talk.admitted, policy.maxDuration))
}
