import type { EndCause } from './endings.ts'
import type { ServerEvent } from './server-events.ts'
import type { Line } from './transcript.ts'

/** Instants are milliseconds of one clock, the page's; whatever the server says of its own is turned into these. */
export type At = number

/** `off`: this conversation is written. */
export type Microphone = 'off' | 'asking' | 'on' | 'lost'

/** What belongs to one conversation from its first moment to what is shown after its end. */
export interface Talk {
  microphone: Microphone
  isMuted: boolean
  /** Sound from the moment of muting on is sent as silence for a moment, so that a turn in progress can end. */
  mutedAt: At | null
  lines: readonly Line[]
  /** Sums in nano-dollars, as Parley has booked them. */
  costNanoUsd: number
  beganAt: At | null
  /** What could not be sent yet, sound above all, oldest first. */
  unsent: readonly ClientEvent[]
  /** Numbers the items that the widget makes itself. */
  written: number
  /** The last `error` event: what it says may be the reason of a close that follows. */
  lastError: { code: string | null; retryAfterMs: number | null } | null
}

/** A session at Parley, as long as it can be reached or come back to. */
export interface Session {
  id: string
  resumeToken: string | null
  resumeWindowMs: number
  /** Number of the last counted frame, and of the last one acknowledged. */
  seen: number
  acknowledged: number
  acknowledgedAt: At
  endsAt: At
  /** The end is near, and the person has been told. */
  isEnding: boolean
  /** When silence will end the session; null while nothing was said of it. */
  idleEndsAt: At | null
  /** Until when an answer is held back by a limit; null when none is. */
  throttledUntil: At | null
  /** A budget is near its end: percent spent. */
  budgetPercent: number | null
  isGoingAway: boolean
  /** The provider stops its answer when somebody speaks. */
  interrupts: boolean
  /** The person is speaking. */
  isHearing: boolean
  /** Response in progress. */
  responseId: string | null
  /** Items whose sound is queued or playing, oldest first. */
  sounding: readonly string[]
  /** Something is to be heard right now. */
  isSpeaking: boolean
  /** Items that were cut: what still comes of them is not played. Newest last. */
  cut: readonly string[]
  lastReceivedAt: At
  /** When the answer to a ping must be here; null when none is out. */
  pongBy: At | null
  /** An answer is to be asked for once the present one has come to its end. */
  wantsAnswer: boolean
  /** Something the person should know for a moment. */
  notice: { what: Notice; until: At } | null
  /** The reason of its end, where Parley has told one. */
  told: EndCause | null
}

/** `gap`: some of what was said is lost; `restored`: the conversation goes on elsewhere, what was just being said is lost. */
export type Notice = 'back' | 'gap' | 'restored' | 'answer_failed' | 'answer_refused'

export type ClientEvent = { type: string } & Readonly<Record<string, unknown>>

export type CallState =
  | { phase: 'resting' }
  /** Asking for the secret, and for the microphone in a spoken conversation. */
  | { phase: 'preparing'; talk: Talk; secret: string | null }
  | { phase: 'connecting'; talk: Talk; since: At; interrupts: boolean }
  | { phase: 'live'; talk: Talk; session: Session }
  /** `tryAt`: when to dial again; null while a dial is out, which is given up at `dialBy`. */
  | {
      phase: 'reconnecting'
      talk: Talk
      session: Session
      attempt: number
      tryAt: At | null
      dialBy: At
      giveUpAt: At
    }
  | { phase: 'ended'; talk: Talk; cause: EndCause; endedAt: At; retryAt: At | null }

export type CallEvent =
  | { type: 'start'; isSpoken: boolean }
  | { type: 'secret'; value: string }
  | { type: 'secret_failed' }
  | { type: 'microphone_ready' }
  | { type: 'microphone_failed'; why: 'denied' | 'missing' | 'busy' | 'not_supported' }
  | { type: 'received'; event: ServerEvent }
  | { type: 'closed'; code: number }
  /** A piece of the microphone's sound, base64 of 24 kHz PCM16. */
  | { type: 'captured'; audio: string }
  /** The speaker begins to be heard, or has nothing more to play. */
  | { type: 'sounding' }
  | { type: 'quiet' }
  /** What the speaker had played of each item when it was cut. */
  | { type: 'was_cut'; heard: readonly { itemId: string; ms: number }[] }
  | { type: 'say'; text: string }
  /** An event of the page's own, for the model. */
  | { type: 'pass_on'; event: ClientEvent }
  | { type: 'mute'; isMuted: boolean }
  | { type: 'interrupt' }
  | { type: 'hang_up' }
  | { type: 'online' }
  | { type: 'deadline' }

/** What the world must do next. Plain data, so a test can simply read it. */
export type Effect =
  | { type: 'fetch_secret' }
  | { type: 'open_microphone' }
  | { type: 'mute_microphone'; isMuted: boolean }
  /** Microphone and speaker are let go. */
  | { type: 'close_audio' }
  /** `resumeFrom`: the last frame seen; null for a new session. */
  | { type: 'dial'; credential: string; resumeFrom: number | null }
  | { type: 'send'; event: ClientEvent }
  /** The line is closed in good order: the session is over. */
  | { type: 'hang_up' }
  /** Whatever still comes of the line is not listened to any more. Closing it would tell the server that it is over. */
  | { type: 'leave_line' }
  | { type: 'play'; itemId: string; audio: string }
  /** No more sound comes of this item. */
  | { type: 'played_out'; itemId: string }
  /** Silence within one buffer; answered by `was_cut`. */
  | { type: 'cut' }

export interface Step {
  state: CallState
  effects: readonly Effect[]
}

export function stay(state: CallState, ...effects: Effect[]): Step {
  return { state, effects }
}
