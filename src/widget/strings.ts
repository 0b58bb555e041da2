import type { Notice } from './call-state.ts'
import type { EndCause } from './endings.ts'

/** What an ending is called, and what it means for the person. */
export interface EndingWords {
  title: string
  text: string
}

/** Every word of the widget. `{…}` is filled in; a page may put its own in place of any of them. */
export interface Strings {
  heading: string
  intro: string
  privacy: string
  start: string
  startWritten: string
  startAgain: string
  tryAgain: string
  tryAgainIn: string
  writeInstead: string
  end: string
  mute: string
  unmute: string
  interrupt: string
  send: string
  placeholder: string
  placeholderSpoken: string
  devices: string
  defaultDevice: string
  /** Names of regions, for people who do not see them. */
  transcript: string
  you: string
  assistant: string
  spoken: string
  interrupted: string
  /** The state, in a word or two. */
  preparing: string
  allowMicrophone: string
  connecting: string
  reconnecting: string
  listening: string
  hearing: string
  thinking: string
  speaking: string
  muted: string
  ready: string
  held: string
  /** Above the conversation, while they last. */
  idleSoon: string
  endsSoon: string
  goingAway: string
  budgetLow: string
  throttled: string
  microphoneLost: string
  offline: string
  notices: Record<Notice, string>
  timeLeft: string
  cost: string
  summary: string
  endings: Record<EndCause, EndingWords>
}

export const ENGLISH: Strings = {
  heading: 'Voice assistant',
  intro: 'Ask anything, as you would ask a person.',
  privacy: 'Your microphone is on only while you talk here.',
  start: 'Start talking',
  startWritten: 'Write instead',
  startAgain: 'Start a new conversation',
  tryAgain: 'Try again',
  tryAgainIn: 'Try again in {seconds}\u00a0s',
  writeInstead: 'Write instead',
  end: 'End the conversation',
  mute: 'Mute the microphone',
  unmute: 'Unmute the microphone',
  interrupt: 'Stop the answer',
  send: 'Send',
  placeholder: 'Write a message',
  placeholderSpoken: 'Or write a message',
  devices: 'Microphone',
  defaultDevice: 'Default microphone',
  transcript: 'Conversation',
  you: 'You',
  assistant: 'Assistant',
  spoken: 'Spoken',
  interrupted: 'interrupted',
  preparing: 'Getting ready',
  allowMicrophone: 'Please allow the microphone',
  connecting: 'Connecting',
  reconnecting: 'Connection lost. Reconnecting',
  listening: 'Listening',
  hearing: 'Hearing you',
  thinking: 'Thinking',
  speaking: 'Speaking',
  muted: 'Microphone muted',
  ready: 'Ready',
  held: 'One moment',
  idleSoon: 'Are you still there? Ends in {seconds}\u00a0s',
  endsSoon: 'This conversation ends in {time}',
  goingAway: 'Moving to another server in a moment',
  budgetLow: '{percent}\u00a0% of the budget is used',
  throttled: 'Many requests right now. The answer comes in {seconds}\u00a0s',
  microphoneLost: 'The microphone is gone. Choose another one, or write.',
  offline: 'Nothing is lost: what is said meanwhile is kept.',
  notices: {
    back: 'Connected again',
    gap: 'A part of what was said is missing',
    restored: 'Connected again. Please repeat what you said last',
    answer_failed: 'That answer did not work out. Please ask again',
    answer_refused: 'Too many requests. Please wait a moment and ask again',
  },
  timeLeft: '{time} left',
  cost: 'Cost so far: {cost}',
  summary: '{time} · {cost}',
  endings: {
    caller_hung_up: { title: 'Goodbye', text: 'You ended the conversation.' },
    caller_lost: { title: 'The connection was lost', text: 'You were away for too long to go on. You can start anew.' },
    session_expired: {
      title: 'Time is up',
      text: 'The longest time for one conversation is over. You can start another.',
    },
    idle_timeout: {
      title: 'Ended after a silence',
      text: 'Nobody spoke for a while, so the conversation was ended. You can start anew.',
    },
    upstream_unavailable: {
      title: 'Nobody is answering',
      text: 'The voice service cannot be reached right now. Please try again in a minute.',
    },
    upstream_lost: {
      title: 'The voice service dropped out',
      text: 'The conversation could not go on. Please start anew.',
    },
    upstream_ended: { title: 'The conversation is over', text: 'The voice service ended it. You can start another.' },
    ended_by_operator: {
      title: 'Ended by the operator',
      text: 'If you think this is a mistake, please contact the owner of this page.',
    },
    credential_revoked: {
      title: 'Access was withdrawn',
      text: 'This page may hold no conversations at the moment. Please contact its owner.',
    },
    reader_too_slow: {
      title: 'The connection is too slow',
      text: 'Your network could not keep up. Try again where the reception is better.',
    },
    protocol_misuse: {
      title: 'Something is wrong with this page',
      text: 'It sent what the server could not understand. Please contact its owner.',
    },
    budget_spent: {
      title: 'The budget is used up',
      text: 'No more answers can be paid for at the moment. Please come back later, or contact the owner of this page.',
    },
    rate_limited: { title: 'Too many requests', text: 'Please wait a moment, then try again.' },
    store_unavailable: {
      title: 'A short interruption',
      text: 'The service has to catch up with itself. Please try again in a minute.',
    },
    going_away: { title: 'The server is restarting', text: 'You can start a new conversation right away.' },
    node_lost: { title: 'The server was lost', text: 'You can start a new conversation right away.' },
    internal: { title: 'Something went wrong', text: 'The fault is on our side. Please start anew.' },
    secret_unavailable: {
      title: 'No access right now',
      text: 'This page could not get permission to connect. Please try again, or sign in again.',
    },
    secret_refused: {
      title: 'The permission is no longer valid',
      text: 'It was used already or is too old. Starting again gets a new one.',
    },
    unreachable: {
      title: 'No connection',
      text: 'The server cannot be reached. Please check your network and try again.',
    },
    connection_lost: {
      title: 'The connection was lost',
      text: 'The network did not come back in time. What was said is shown here; you can start anew.',
    },
    session_gone: { title: 'The conversation is over', text: 'It ended while you were away. You can start another.' },
    too_many_sessions: {
      title: 'All lines are busy',
      text: 'As many conversations as possible are running. Please try again in a moment.',
    },
    overloaded: { title: 'All lines are busy', text: 'The server has a lot to do. Please try again in a moment.' },
    misconfigured: {
      title: 'This page is not set up correctly',
      text: 'The server does not accept its request. Please contact the owner of this page.',
    },
    replaced: { title: 'Continued elsewhere', text: 'This conversation was taken over by another window.' },
    microphone_denied: {
      title: 'The microphone is blocked',
      text: 'Allow it beside the address of this page, then try again. Or write instead.',
    },
    microphone_missing: { title: 'No microphone found', text: 'Connect one and try again. Or write instead.' },
    microphone_busy: {
      title: 'The microphone is in use',
      text: 'Another program has it. Close that program and try again. Or write instead.',
    },
    not_supported: {
      title: 'Talking does not work here',
      text: 'This browser, or this page, gives no access to a microphone. You can write instead.',
    },
  },
}

/** A page's own words over the English ones; what it leaves out stays. */
export type StringChanges = Partial<Omit<Strings, 'endings' | 'notices'>> & {
  endings?: Partial<Record<EndCause, Partial<EndingWords>>>
  notices?: Partial<Record<Notice, string>>
}

export function withChanges(changes: StringChanges): Strings {
  const endings = { ...ENGLISH.endings }
  for (const [cause, words] of Object.entries(changes.endings ?? {}) as [EndCause, Partial<EndingWords>][]) {
    endings[cause] = { ...endings[cause], ...words }
  }
  return { ...ENGLISH, ...changes, endings, notices: { ...ENGLISH.notices, ...changes.notices } }
}

/** Puts values in place of `{name}`. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** `4:05`, or `1:02:09`; a started second counts whole. */
export function clockTime(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000))
  const pad = (n: number) => String(n).padStart(2, '0')
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`
}

/** Nano-dollars as people write them in `locale`: two digits that say something, of small amounts more than cents. */
export function money(nanoUsd: number, locale: string | undefined): string {
  const dollars = nanoUsd / 1e9
  const digits = dollars > 0 && dollars < 1 ? 4 : 2
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency: 'USD',
    minimumFractionDigits: Math.min(digits, 2),
    maximumFractionDigits: digits,
  }).format(dollars)
}
