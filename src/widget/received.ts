import type { Effect, Notice, Session, Talk } from './call-state.ts'
import type { ServerEvent, SessionShape } from './server-events.ts'
import { askForAnswer, cutSpeech, lengthMs } from './speech.ts'
import { allDone, type Line, withLine } from './transcript.ts'

/** How long a notice stays, ms. */
export const NOTICE_MS = 6_000

export interface Heard {
  talk: Talk
  session: Session
  effects: readonly Effect[]
}

const ASSISTANT = { who: 'assistant', how: 'spoken' } as const
const USER = { who: 'user', how: 'spoken' } as const

/** What an event of the server changes in a conversation that stands. */
export function received(talk: Talk, session: Session, event: ServerEvent, now: number): Heard {
  const of = (change: { talk?: Partial<Talk>; session?: Partial<Session>; effects?: readonly Effect[] }): Heard => ({
    talk: { ...talk, ...change.talk },
    session: { ...session, ...change.session },
    effects: change.effects ?? [],
  })
  const line = (id: string, base: Pick<Line, 'who' | 'how'>, change: (line: Line) => Partial<Line>) => ({
    lines: withLine(talk.lines, id, base, change),
  })
  const notice = (what: Notice) => ({ notice: { what, until: now + NOTICE_MS } })
  // Whatever was on its way is not waited for; an answer that was to follow it is asked for now.
  const inFlightLost = { responseId: null, isHearing: false, wantsAnswer: false }
  const askAgain: Effect[] = session.wantsAnswer
    ? [{ type: 'send', event: askForAnswer(talk.microphone === 'on') }]
    : []

  switch (event.type) {
    case 'session.updated':
      return of({ session: { interrupts: interrupts(event.session) } })
    case 'input_audio_buffer.speech_started': {
      const { session: quiet, effects } = session.interrupts ? cutSpeech(session) : { session, effects: [] }
      const heard = { ...quiet, isHearing: true, idleEndsAt: null }
      return of({ talk: line(event.item_id, USER, () => ({})), session: heard, effects })
    }
    case 'input_audio_buffer.speech_stopped':
      return of({ talk: line(event.item_id, USER, () => ({ isDone: true })), session: { isHearing: false } })
    case 'conversation.item.input_audio_transcription.delta': {
      const { delta = '' } = event
      return of({ talk: line(event.item_id, USER, ({ text }) => ({ text: text + delta })) })
    }
    case 'conversation.item.input_audio_transcription.completed': {
      const { transcript = '' } = event
      return of({ talk: line(event.item_id, USER, () => ({ text: transcript.trim(), isDone: true })) })
    }
    case 'response.created':
      return of({ session: { responseId: event.response.id, throttledUntil: null } })
    case 'response.output_audio.delta': {
      const { item_id: itemId, delta } = event
      if (session.cut.includes(itemId)) return of({})
      const more = line(itemId, ASSISTANT, ({ audioMs }) => ({ audioMs: audioMs + lengthMs(delta) }))
      const sounding = session.sounding.includes(itemId) ? session.sounding : [...session.sounding, itemId]
      return of({ talk: more, session: { sounding }, effects: [{ type: 'play', itemId, audio: delta }] })
    }
    case 'response.output_audio.done':
      return of({ effects: [{ type: 'played_out', itemId: event.item_id }] })
    case 'response.output_audio_transcript.delta':
    case 'response.output_text.delta': {
      const how = event.type === 'response.output_text.delta' ? 'written' : 'spoken'
      const grow = ({ text, isInterrupted }: Line) => (isInterrupted ? {} : { text: text + event.delta })
      return of({ talk: line(event.item_id, { who: 'assistant', how }, grow) })
    }
    case 'response.output_audio_transcript.done': {
      const settle = ({ isInterrupted }: Line) => (isInterrupted ? {} : { text: event.transcript, isDone: true })
      return of({ talk: line(event.item_id, ASSISTANT, settle) })
    }
    case 'response.output_text.done':
      return of({
        talk: line(event.item_id, { who: 'assistant', how: 'written' }, () => ({ text: event.text, isDone: true })),
      })
    case 'response.done':
      return responseDone(talk, session, event.response.status ?? '', notice('answer_failed'))
    case 'error': {
      const { code, retry_after_ms: retryAfterMs } = event.error
      return of({ talk: { lastError: { code: code ?? null, retryAfterMs: retryAfterMs ?? null } } })
    }
    case 'parley.warning':
      if (event.limit === 'length') return of({ session: { isEnding: true, endsAt: now + event.remaining_ms } })
      return of({ session: { idleEndsAt: now + event.remaining_ms } })
    case 'parley.idle_over':
      return of({ session: { idleEndsAt: null } })
    case 'parley.going_away':
      return of({ session: { isGoingAway: true } })
    case 'parley.gap':
      return of({
        talk: { lines: fromItems(talk.lines, event.items) },
        session: { seen: event.to, ...inFlightLost, ...notice('gap') },
        effects: askAgain,
      })
    case 'parley.restored':
      return of({
        talk: { lines: allDone(talk.lines) },
        session: { ...inFlightLost, ...notice('restored') },
        effects: askAgain,
      })
    case 'parley.usage':
      return of({ talk: { costNanoUsd: event.session_cost_nano_usd } })
    case 'parley.throttled':
      return of({
        session: event.action === 'refused' ? notice('answer_refused') : { throttledUntil: now + (event.wait_ms ?? 0) },
      })
    case 'parley.budget_warning':
      return of({ session: { budgetPercent: event.percent } })
    case 'parley.session_ended':
      return of({ talk: { costNanoUsd: event.usage.cost_nano_usd }, session: { told: event.reason } })
    case 'session.created':
    case 'input_audio_buffer.committed':
    case 'parley.session':
    case 'parley.pong':
      return of({})
  }
  // Types that the widget does not know mean nothing to it.
  return of({})
}

function responseDone(talk: Talk, session: Session, status: string, failed: Pick<Session, 'notice'>): Heard {
  const effects: Effect[] = session.sounding.map((itemId) => ({ type: 'played_out', itemId }))
  if (session.wantsAnswer) effects.push({ type: 'send', event: askForAnswer(talk.microphone === 'on') })
  const after = { ...session, responseId: null, wantsAnswer: false, ...(status === 'failed' ? failed : {}) }
  const lines = talk.lines.map((line) => (line.who === 'assistant' ? { ...line, isDone: true } : line))
  return { talk: { ...talk, lines }, session: after, effects }
}

/** True unless the session says that the provider goes on speaking over whoever speaks. */
export function interrupts(session: SessionShape | undefined): boolean {
  return session?.audio?.input?.turn_detection?.interrupt_response !== false
}

/** The conversation as Parley tells it after a gap, over what is known here. */
function fromItems(lines: readonly Line[], items: readonly Readonly<Record<string, unknown>>[]): readonly Line[] {
  let told = allDone(lines)
  for (const { id, role, content } of items) {
    if (typeof id !== 'string' || (role !== 'user' && role !== 'assistant') || !Array.isArray(content)) continue
    const text = content
      .map((part: { text?: string; transcript?: string }) => part.text ?? part.transcript ?? '')
      .join(' ')
    if (text !== '') told = withLine(told, id, { who: role, how: 'spoken' }, () => ({ text, isDone: true }))
  }
  return told
}
