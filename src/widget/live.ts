import { away, lineClosed } from './away.ts'
import type { CallEvent, ClientEvent, Effect, Session, Step } from './call-state.ts'
import { stay } from './call-state.ts'
import { always, append, type Live, wasCut } from './call-steps.ts'
import { received } from './received.ts'
import type { ServerEvent } from './server-events.ts'
import { askForAnswer, cutSpeech, writtenTurn } from './speech.ts'
import { withLine } from './transcript.ts'

/** The server may hear nothing for this long before it is asked whether it is there, and so long it may take to answer. */
export const PING_AFTER_MS = 3_000
const PONG_WITHIN_MS = 4_000
/** Frames are acknowledged once a second, or every so many of them. */
export const ACK_AFTER_MS = 1_000
const ACK_AFTER_FRAMES = 50
/** Silence that is sent after muting, ms: more than any usual end-of-turn pause. */
const MUTE_TAIL_MS = 1_500

export function live(state: Live, event: CallEvent, now: number): Step {
  const { talk, session } = state
  switch (event.type) {
    case 'received':
      return hear(state, event.event, now)
    case 'closed':
      return lineClosed(state, event.code, now)
    case 'captured': {
      if (talk.isMuted && talk.mutedAt !== null && now - talk.mutedAt > MUTE_TAIL_MS) return stay(state)
      return stay(state, { type: 'send', event: append(event.audio) })
    }
    case 'pass_on':
      return stay(state, { type: 'send', event: event.event })
    case 'say':
      return say(state, event.text)
    case 'deadline':
      return due(state, now)
    case 'online':
      // The line may have gone with the network that was there before: asked at once, and not for long.
      if (session.pongBy !== null) return stay(state)
      return ping({ ...state, session: { ...session, pongBy: now + PONG_WITHIN_MS / 2 } })
    case 'was_cut':
      return wasCut(state, event.heard, true)
    default:
      return always(state, event, now)
  }
}

function hear(state: Live, event: ServerEvent, now: number): Step {
  const counted = event.type.startsWith('parley.') ? 0 : 1
  const { seen } = state.session
  const session = { ...state.session, seen: seen + counted, lastReceivedAt: now, pongBy: null }
  const after = received(state.talk, session, event, now)
  const next: Live = { phase: 'live', talk: after.talk, session: after.session }
  if (after.session.seen - after.session.acknowledged < ACK_AFTER_FRAMES) return { state: next, effects: after.effects }
  const acked = acknowledge(next, now)
  return { state: acked.state, effects: [...after.effects, ...acked.effects] }
}

function due(state: Live, now: number): Step {
  const { session } = state
  if (session.pongBy !== null && now >= session.pongBy) return away(state, now)
  let next: Session = session
  const effects: Effect[] = []
  if (next.throttledUntil !== null && now >= next.throttledUntil) next = { ...next, throttledUntil: null }
  if (next.notice !== null && now >= next.notice.until) next = { ...next, notice: null }
  if (next.seen > next.acknowledged && now >= next.acknowledgedAt + ACK_AFTER_MS) {
    const acked = acknowledge({ ...state, session: next }, now)
    next = acked.state.session
    effects.push(...acked.effects)
  }
  if (next.pongBy === null && now >= next.lastReceivedAt + PING_AFTER_MS) {
    next = { ...next, pongBy: now + PONG_WITHIN_MS }
    effects.push({ type: 'send', event: { type: 'parley.ping' } })
  }
  return { state: { ...state, session: next }, effects }
}

function ping(state: Live): Step {
  return stay(state, { type: 'send', event: { type: 'parley.ping' } })
}

function acknowledge(state: Live, now: number): { state: Live; effects: readonly Effect[] } {
  const { seen } = state.session
  const session = { ...state.session, acknowledged: seen, acknowledgedAt: now }
  return { state: { ...state, session }, effects: [{ type: 'send', event: { type: 'parley.ack', seq: seen } }] }
}

function say(state: Live, text: string): Step {
  const said = text.trim()
  if (said === '') return stay(state)
  const { talk } = state
  const { session: quiet, effects } = cutSpeech(state.session)
  const id = `written_${talk.written + 1}`
  const lines = withLine(talk.lines, id, { who: 'user', how: 'written' }, () => ({ text: said, isDone: true }))
  const isBusy = quiet.responseId !== null
  const asks: ClientEvent[] = isBusy
    ? [{ type: 'response.cancel' }, writtenTurn(id, said)]
    : [writtenTurn(id, said), askForAnswer(talk.microphone === 'on')]
  const session = { ...quiet, wantsAnswer: isBusy, idleEndsAt: null }
  return {
    state: { ...state, talk: { ...talk, lines, written: talk.written + 1 }, session },
    effects: [...effects, ...asks.map((event): Effect => ({ type: 'send', event }))],
  }
}
