import type { CallState, Session, Talk } from './call-state.ts'
import { type EndCause, OUTCOMES, type Outcome } from './endings.ts'
import { clockTime, fill, money, type Strings } from './strings.ts'
import type { Line } from './transcript.ts'

/** What is going on, for the colour of the dot and the wave. */
export type Mood = 'resting' | 'waiting' | 'listening' | 'hearing' | 'thinking' | 'speaking' | 'muted' | 'trouble'

export interface Banner {
  tone: 'calm' | 'urgent'
  text: string
}

/** An ending as it is shown. */
export interface EndingLook extends Outcome {
  cause: EndCause
  title: string
  text: string
  /** Length and cost; empty where there was no conversation. */
  summary: string
  /** The words on the button, and whether it can be pressed yet. Null where nothing can be begun. */
  action: { text: string; isReady: boolean } | null
}

/** Everything a person is shown, as data. */
export interface Look {
  /** Before the first conversation, during one, after it. */
  screen: 'resting' | 'talking' | 'ended'
  mood: Mood
  status: string
  banner: Banner | null
  /** Empty where there is nothing to show. */
  time: string
  isTimeShort: boolean
  cost: string
  lines: readonly Line[]
  /** With a microphone, or in writing only. */
  isSpoken: boolean
  isMuted: boolean
  canMute: boolean
  /** Another microphone can be chosen. */
  canChoose: boolean
  canInterrupt: boolean
  canWrite: boolean
  ending: EndingLook | null
}

/** Remaining time from which on it is shown as short, ms. */
const SHORT_MS = 60_000

const BLANK: Omit<Look, 'screen' | 'mood' | 'status'> = {
  banner: null,
  time: '',
  isTimeShort: false,
  cost: '',
  lines: [],
  isSpoken: false,
  isMuted: false,
  canMute: false,
  canChoose: false,
  canInterrupt: false,
  canWrite: false,
  ending: null,
}

/** How a state looks at a moment. */
export function lookOf(state: CallState, strings: Strings, locale: string | undefined, now: number): Look {
  switch (state.phase) {
    case 'resting':
      return { ...BLANK, screen: 'resting', mood: 'resting', status: '' }
    case 'preparing': {
      const isAsking = state.talk.microphone === 'asking' && state.secret !== null
      const status = isAsking ? strings.allowMicrophone : strings.preparing
      return { ...BLANK, ...talking(state.talk), mood: 'waiting', status }
    }
    case 'connecting':
      return { ...BLANK, ...talking(state.talk), mood: 'waiting', status: strings.connecting }
    case 'live': {
      const { talk, session } = state
      return {
        ...BLANK,
        ...talking(talk),
        ...facts(talk, session, strings, locale, now),
        ...doing(talk, session, strings),
        banner: bannerOf(talk, session, strings, now),
        canInterrupt: session.sounding.length > 0 || session.responseId !== null,
        canWrite: true,
      }
    }
    case 'reconnecting': {
      const { talk, session } = state
      const banner = { tone: 'calm', text: strings.offline } as const
      const look = { ...talking(talk), ...facts(talk, session, strings, locale, now), banner }
      return { ...BLANK, ...look, mood: 'trouble', status: strings.reconnecting, canInterrupt: session.isSpeaking }
    }
    case 'ended': {
      const { talk } = state
      const ending = endingOf(state, strings, locale, now)
      const { isSpoken } = talking(talk)
      return { ...BLANK, screen: 'ended', mood: 'resting', status: '', lines: talk.lines, isSpoken, ending }
    }
  }
}

function talking(talk: Talk) {
  const isSpoken = talk.microphone !== 'off'
  const canMute = talk.microphone === 'on' || talk.microphone === 'asking'
  return {
    screen: 'talking',
    lines: talk.lines,
    isSpoken,
    isMuted: talk.isMuted,
    canMute,
    canChoose: isSpoken,
  } as const
}

function facts(talk: Talk, session: Session, strings: Strings, locale: string | undefined, now: number) {
  const left = session.endsAt - now
  return {
    time: fill(strings.timeLeft, { time: clockTime(left) }),
    isTimeShort: session.isEnding || left <= SHORT_MS,
    cost: talk.costNanoUsd === 0 ? '' : money(talk.costNanoUsd, locale),
  }
}

function doing(talk: Talk, session: Session, strings: Strings): Pick<Look, 'mood' | 'status'> {
  if (session.isHearing) return { mood: 'hearing', status: strings.hearing }
  if (session.isSpeaking) return { mood: 'speaking', status: strings.speaking }
  if (session.throttledUntil !== null) return { mood: 'thinking', status: strings.held }
  if (session.responseId !== null || session.wantsAnswer) return { mood: 'thinking', status: strings.thinking }
  if (talk.microphone !== 'on') return { mood: 'listening', status: strings.ready }
  if (talk.isMuted) return { mood: 'muted', status: strings.muted }
  return { mood: 'listening', status: strings.listening }
}

/** One thing at a time, the most pressing first. */
function bannerOf(talk: Talk, session: Session, strings: Strings, now: number): Banner | null {
  const inSeconds = (at: number) => ({ seconds: Math.max(0, Math.ceil((at - now) / 1_000)) })
  if (session.idleEndsAt !== null)
    return { tone: 'urgent', text: fill(strings.idleSoon, inSeconds(session.idleEndsAt)) }
  if (session.isEnding) {
    return { tone: 'urgent', text: fill(strings.endsSoon, { time: clockTime(session.endsAt - now) }) }
  }
  if (session.notice !== null) return { tone: 'calm', text: strings.notices[session.notice.what] }
  if (session.throttledUntil !== null) {
    return { tone: 'calm', text: fill(strings.throttled, inSeconds(session.throttledUntil)) }
  }
  if (session.isGoingAway) return { tone: 'calm', text: strings.goingAway }
  if (session.budgetPercent !== null) {
    return { tone: 'calm', text: fill(strings.budgetLow, { percent: session.budgetPercent }) }
  }
  if (talk.microphone === 'lost') return { tone: 'calm', text: strings.microphoneLost }
  return null
}

function endingOf(
  { cause, talk, endedAt, retryAt }: Extract<CallState, { phase: 'ended' }>,
  strings: Strings,
  locale: string | undefined,
  now: number,
): EndingLook {
  const outcome = OUTCOMES[cause]
  const wait = retryAt === null ? 0 : Math.ceil((retryAt - now) / 1_000)
  const actions = {
    start_again: strings.startAgain,
    wait: strings.tryAgain,
    fix_microphone: strings.tryAgain,
    ask_owner: null,
  } as const
  const text = wait > 0 ? fill(strings.tryAgainIn, { seconds: wait }) : actions[outcome.next]
  const length = talk.beganAt === null ? null : clockTime(endedAt - talk.beganAt)
  const cost = talk.costNanoUsd === 0 ? '' : money(talk.costNanoUsd, locale)
  return {
    ...outcome,
    ...strings.endings[cause],
    cause,
    summary: length === null ? '' : cost === '' ? length : fill(strings.summary, { time: length, cost }),
    action: outcome.next === 'ask_owner' || text === null ? null : { text, isReady: wait <= 0 },
  }
}
