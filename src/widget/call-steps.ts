import type { CallEvent, CallState, ClientEvent, Effect, Step, Talk } from './call-state.ts'
import { stay } from './call-state.ts'
import { causeOfCode, type EndCause } from './endings.ts'
import type { ErrorShape, ServerEvent } from './server-events.ts'
import { cutSpeech, truncation } from './speech.ts'
import { allDone, heardPart, withLine } from './transcript.ts'

// Steps that more than one phase takes.

export type Live = Extract<CallState, { phase: 'live' }>
export type Away = Extract<CallState, { phase: 'reconnecting' }>

/** Sound kept while there is no line, pieces: 15 s of 40 ms each. */
const MOST_UNSENT = 375

export function append(audio: string): ClientEvent {
  return { type: 'input_audio_buffer.append', audio }
}

export function kept(talk: Talk, event: ClientEvent): Talk {
  return { ...talk, unsent: [...talk.unsent, event].slice(-MOST_UNSENT) }
}

export function sendKept(state: Live): Step {
  const effects = state.talk.unsent.map((event): Effect => ({ type: 'send', event }))
  return { state: { ...state, talk: { ...state.talk, unsent: [] } }, effects }
}

export function introduced(event: Extract<ServerEvent, { type: 'parley.session' }>, now: number) {
  return {
    id: event.session_id,
    resumeToken: event.resume_token,
    resumeWindowMs: event.resume_window_ms,
    seen: event.seq,
    endsAt: now + event.remaining_ms,
  }
}

export function muted<S extends Exclude<CallState, { phase: 'resting' }>>(
  state: S,
  isMuted: boolean,
  now: number,
): Step {
  const talk = { ...state.talk, isMuted, mutedAt: isMuted ? now : null }
  return stay({ ...state, talk }, { type: 'mute_microphone', isMuted })
}

/** What goes on alike with a line and without. */
export function always<S extends Live | Away>(state: S, event: CallEvent, now: number): Step {
  const { talk, session } = state
  switch (event.type) {
    case 'sounding':
      return stay({ ...state, session: { ...session, isSpeaking: session.sounding.length > 0 } })
    case 'quiet':
      return stay({ ...state, session: { ...session, isSpeaking: false, sounding: [] } })
    case 'mute':
      return muted(state, event.isMuted, now)
    case 'microphone_ready':
      return stay({ ...state, talk: { ...talk, microphone: 'on' } })
    case 'microphone_failed':
      return stay({ ...state, talk: { ...talk, microphone: 'lost' } })
    case 'interrupt': {
      const { session: quiet, effects } = cutSpeech(session)
      const cancel: Effect[] =
        state.phase === 'live' && session.responseId !== null
          ? [{ type: 'send', event: { type: 'response.cancel' } }]
          : []
      return { state: { ...state, session: quiet }, effects: [...cancel, ...effects] }
    }
    case 'hang_up':
      return end(state, 'caller_hung_up', now)
    default:
      return stay(state)
  }
}

/** The speaker says what had been heard: people see, and the provider remembers, no more than that. */
export function wasCut<S extends Live | Away>(
  state: S,
  heard: readonly { itemId: string; ms: number }[],
  hasLine: boolean,
): Step {
  let { talk } = state
  const events: ClientEvent[] = []
  for (const { itemId, ms } of heard) {
    const line = talk.lines.find(({ id }) => id === itemId)
    if (line === undefined || (line.isDone && ms >= line.audioMs)) continue
    events.push(truncation(itemId, Math.min(ms, line.audioMs)))
    talk = { ...talk, lines: withLine(talk.lines, itemId, line, (whole) => heardPart(whole, ms)) }
  }
  if (hasLine) return { state: { ...state, talk }, effects: events.map((event): Effect => ({ type: 'send', event })) }
  return stay({ ...state, talk: events.reduce(kept, talk) })
}

/** Why it is over. What Parley told comes first, then a code that says it, then nothing. */
export function causeOf(code: number, talk: Talk, told: EndCause | null): EndCause | null {
  if (told !== null) return told
  if (talk.lastError?.code === 'session_expired') return 'session_expired'
  return causeOfCode(code)
}

export function end(state: Exclude<CallState, { phase: 'resting' | 'ended' }>, cause: EndCause, now: number): Step {
  const wait = state.talk.lastError?.retryAfterMs ?? null
  const talk: Talk = { ...state.talk, lines: allDone(state.talk.lines), unsent: [] }
  const retryAt = wait === null ? null : now + wait
  const effects: Effect[] = [{ type: 'hang_up' }, { type: 'close_audio' }]
  return { state: { phase: 'ended', talk, cause, endedAt: now, retryAt }, effects }
}

/** Keeps what an `error` event said: it may be the reason of a close that follows. */
export function withError(talk: Talk, { code, retry_after_ms: retryAfterMs }: ErrorShape): Talk {
  return { ...talk, lastError: { code: code ?? null, retryAfterMs: retryAfterMs ?? null } }
}
