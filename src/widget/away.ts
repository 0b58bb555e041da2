import type { CallEvent, Session, Step } from './call-state.ts'
import { stay } from './call-state.ts'
import {
  type Away,
  always,
  append,
  causeOf,
  end,
  introduced,
  kept,
  type Live,
  sendKept,
  wasCut,
  withError,
} from './call-steps.ts'
import { mayResume } from './endings.ts'
import { NOTICE_MS } from './received.ts'
import type { ServerEvent } from './server-events.ts'

/** The same for one that comes back: the next attempt may find a better network. */
const REDIAL_MS = 8_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 2_000
/** A little more than the server waits: its window begins when it notices, which is later. */
const WINDOW_SLACK_MS = 3_000

export function lineClosed(state: Live, code: number, now: number): Step {
  const { talk, session } = state
  const isTold = session.told !== null && session.told !== 'going_away'
  if (!isTold && mayResume(code) && session.resumeToken !== null) return away(state, now)
  return end(state, causeOf(code, talk, session.told) ?? 'connection_lost', now)
}

export function away(state: Live, now: number): Step {
  const { talk, session } = state
  if (session.resumeToken === null) return end(state, 'connection_lost', now)
  const giveUpAt = now + session.resumeWindowMs + WINDOW_SLACK_MS
  const waiting: Away = {
    phase: 'reconnecting',
    talk,
    session: { ...session, pongBy: null, told: null },
    attempt: 0,
    tryAt: now,
    dialBy: now,
    giveUpAt,
  }
  const first = dialAgain(waiting, now)
  return { state: first.state, effects: [{ type: 'leave_line' }, ...first.effects] }
}

function dialAgain(state: Away, now: number): Step {
  const { session, attempt } = state
  return stay(
    { ...state, attempt: attempt + 1, tryAt: null, dialBy: now + REDIAL_MS },
    { type: 'dial', credential: session.resumeToken ?? '', resumeFrom: session.seen },
  )
}

export function reconnecting(state: Away, event: CallEvent, now: number): Step {
  switch (event.type) {
    case 'received':
      return welcomedBack(state, event.event, now)
    case 'closed': {
      if (state.tryAt !== null) return stay(state)
      const cause = mayResume(event.code) ? null : causeOf(event.code, state.talk, null)
      // Codes that say "wait" leave the token good: the window decides how long it is worth it.
      if (cause !== null && (event.code < 4_100 || event.code >= 4_200)) return end(state, cause, now)
      return pause(state, now)
    }
    case 'deadline':
      if (now >= state.giveUpAt) return end(state, 'connection_lost', now)
      if (state.tryAt !== null) return now >= state.tryAt ? dialAgain(state, now) : stay(state)
      if (now < state.dialBy) return stay(state)
      return { state: pause(state, now).state, effects: [{ type: 'leave_line' }] }
    case 'online':
      return state.tryAt === null ? stay(state) : dialAgain(state, now)
    case 'captured':
      if (state.talk.isMuted) return stay(state)
      return stay({ ...state, talk: kept(state.talk, append(event.audio)) })
    case 'pass_on':
      return stay({ ...state, talk: kept(state.talk, event.event) })
    case 'was_cut':
      return wasCut(state, event.heard, false)
    default:
      return always(state, event, now)
  }
}

function pause(state: Away, now: number): Step {
  const wait = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(state.attempt - 1, 10))
  return stay({ ...state, tryAt: now + Math.max(FIRST_PAUSE_MS, wait) })
}

function welcomedBack(state: Away, event: ServerEvent, now: number): Step {
  const { talk, session } = state
  if (event.type === 'error') {
    return stay({ ...state, talk: withError(talk, event.error) })
  }
  if (event.type !== 'parley.session') return stay(state)
  const back: Session = {
    ...session,
    ...introduced(event, now),
    // What was acknowledged is still so; the server may have counted on from another node.
    acknowledged: Math.min(session.acknowledged, event.seq),
    acknowledgedAt: now,
    idleEndsAt: null,
    isGoingAway: false,
    lastReceivedAt: now,
    pongBy: null,
    notice: { what: 'back', until: now + NOTICE_MS },
  }
  return sendKept({ phase: 'live', talk, session: back })
}
