import { earliest, type Instant, later, type Ms } from '../units.ts'
import { isEnded, type JobEnd, type JobStatus } from './job.ts'

/** A job's life as its rules see it. The scripts of the store hold every job to this; a test walks both side by side. */
export interface JobState {
  readonly status: JobStatus
  /** Begun so often in all; so often since its owner asked for it; by so many workers since then. */
  readonly attempt: number
  readonly tries: number
  readonly starts: number
  /** Which of its runs the queue has: an older one can begin nothing any more. */
  readonly dispatch: number
  readonly seq: number
  readonly cancelRequested: boolean
  /** Its deadline has passed while it ran. */
  readonly isLate: boolean
  /** Prepared: others do its parts, and it holds no running slot. */
  readonly isHandedOver: boolean
  /** Token of whoever may write. */
  readonly holder: string | null
  /** Tokens whose last word is known, so that the same word once more is no new one. */
  readonly endedBy: string | null
  readonly postponedBy: string | null
  readonly runAt: Instant | null
  readonly expiresAt: Instant
  readonly deadline: Instant | null
  /** Set at its first start: it has ended by then, whatever happens. */
  readonly mustEnd: Instant | null
  /** When its own times ask for a look. */
  readonly alarm: Instant | null
  /** Its running slot is given away when its holder is silent until then. */
  readonly lease: Instant | null
}

export interface JobRules {
  readonly maxAttempts: number
  /** Starts without an end after which a job is poison. */
  readonly mostStarts: number
  /** The longest that a job of its kind may take. */
  readonly longest: Ms
  /** How long a holder may be silent. */
  readonly lease: Ms
  /** From being told to end, and from the end of a lease, to what others do about it. */
  readonly grace: Ms
  /** What a new attempt by the owner gets anew. */
  readonly life: Ms
  readonly patience: Ms | null
}

export type JobCommand =
  | { readonly type: 'start'; readonly token: string; readonly dispatch: number }
  | { readonly type: 'beat'; readonly token: string }
  | { readonly type: 'hand_over'; readonly token: string }
  | { readonly type: 'postpone'; readonly token: string }
  | { readonly type: 'end'; readonly token: string; readonly status: Exclude<JobEnd, 'expired'> }
  | { readonly type: 'cancel' }
  | { readonly type: 'retry' }
  /** Time has passed: anybody may look what is due. */
  | { readonly type: 'look' }

export type JobAnswer = 'done' | 'lost' | 'not_due' | 'poisoned' | 'wrong_state' | JobStatus

export interface Step {
  readonly state: JobState
  readonly answer: JobAnswer
}

/** Every change of status there is. What has ended stays so, but for a failure whose owner asks again. */
export const CHANGES: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  scheduled: ['queued', 'canceled', 'expired'],
  queued: ['processing', 'canceled', 'expired', 'failed'],
  processing: ['queued', 'succeeded', 'failed', 'canceled'],
  succeeded: [],
  failed: ['queued'],
  canceled: [],
  expired: [],
}

/** What a command means for a job, now. */
export function transition(state: JobState, command: JobCommand, rules: JobRules, now: Instant): Step {
  switch (command.type) {
    case 'start':
      return start(state, command.token, command.dispatch, rules, now)
    case 'beat': {
      if (!holds(state, command.token)) return stay(state, 'lost')
      return stay({ ...state, lease: state.isHandedOver ? null : later(now, rules.lease) })
    }
    case 'hand_over':
      return holds(state, command.token) ? stay({ ...state, isHandedOver: true, lease: null }) : stay(state, 'lost')
    case 'postpone':
      return postpone(state, command.token, rules)
    case 'end':
      if (isEnded(state.status) && state.endedBy === command.token) return stay(state)
      return holds(state, command.token) ? end(state, command.status, command.token) : stay(state, 'lost')
    case 'cancel':
      return cancel(state, rules, now)
    case 'retry':
      return retry(state, rules, now)
    case 'look': {
      const isDue = state.alarm !== null && now >= state.alarm
      return isDue ? releaseDead(look(state, rules, now).state, rules, now) : releaseDead(state, rules, now)
    }
  }
}

function start(state: JobState, token: string, dispatch: number, rules: JobRules, now: Instant): Step {
  const { status } = state
  if ((status !== 'queued' && status !== 'processing') || dispatch !== state.dispatch) return stay(state, 'not_due')
  if (status === 'processing' && state.isHandedOver) return stay(state, 'not_due')
  if (status === 'processing' && state.holder === token) return stay(state)
  const began = state.mustEnd !== null
  if (status === 'queued' && !began && now >= lastStart(state)) return { ...end(state, 'expired'), answer: 'not_due' }
  if (state.starts >= rules.mostStarts) return { ...end(state, 'failed'), answer: 'poisoned' }
  const started = { ...state, holder: token, starts: state.starts + 1, lease: later(now, rules.lease) }
  if (status === 'processing') return stay(started)
  const limit = later(now, rules.longest)
  const mustEnd = state.mustEnd ?? (state.deadline === null ? limit : earliest(limit, state.deadline))
  const { attempt, tries } = state
  return change({ ...started, attempt: attempt + 1, tries: tries + 1, mustEnd, alarm: mustEnd }, 'processing')
}

function postpone(state: JobState, token: string, rules: JobRules): Step {
  if (state.postponedBy === token || state.endedBy === token) return stay(state, state.status)
  if (!holds(state, token)) return stay(state, 'lost')
  if (state.cancelRequested) return { ...end(state, 'canceled', token), answer: 'canceled' }
  if (state.tries >= rules.maxAttempts) return { ...end(state, 'failed', token), answer: 'failed' }
  return { ...requeue({ ...state, postponedBy: token, isHandedOver: false }), answer: 'queued' }
}

function cancel(state: JobState, rules: JobRules, now: Instant): Step {
  switch (state.status) {
    case 'scheduled':
    case 'queued':
      return end({ ...state, cancelRequested: true }, 'canceled')
    case 'processing':
      return stay(state.cancelRequested ? state : askToEnd(state, rules, now))
    case 'succeeded':
    case 'failed':
    case 'canceled':
    case 'expired':
      return stay(state)
  }
}

function retry(state: JobState, rules: JobRules, now: Instant): Step {
  if (state.status !== 'failed') return stay(state, 'wrong_state')
  const deadline = rules.patience === null ? null : later(now, rules.patience)
  const times = { expiresAt: later(now, rules.life), deadline, mustEnd: null }
  const counts = { tries: 0, starts: 0, cancelRequested: false, isLate: false, isHandedOver: false }
  return requeue({ ...state, ...times, ...counts })
}

function look(state: JobState, rules: JobRules, now: Instant): Step {
  switch (state.status) {
    case 'processing':
      if (state.cancelRequested) return end(state, 'canceled')
      return stay({ ...askToEnd(state, rules, now), isLate: true })
    case 'scheduled':
      if (now >= lastStart(state)) return end(state, 'expired')
      return change({ ...state, alarm: lastStart(state) }, 'queued')
    case 'queued':
      return end(state, state.mustEnd === null ? 'expired' : 'canceled')
    case 'succeeded':
    case 'failed':
    case 'canceled':
    case 'expired':
      return stay(state)
  }
}

/** A holder that has long been silent, and whose job the queue has given to nobody else. */
function releaseDead(state: JobState, rules: JobRules, now: Instant): Step {
  if (state.lease === null || now < later(state.lease, rules.grace)) return stay(state)
  return requeue(state)
}

/** Not begun by then, it has expired. */
function lastStart({ expiresAt, deadline }: JobState): Instant {
  return deadline === null ? expiresAt : earliest(expiresAt, deadline)
}

const holds = ({ status, holder }: JobState, token: string) => status === 'processing' && holder === token

const stay = (state: JobState, answer: JobAnswer = 'done'): Step => ({ state, answer })

const change = (state: JobState, status: JobStatus): Step => stay({ ...state, status, seq: state.seq + 1 })

function end(state: JobState, status: JobEnd, by: string | null = null): Step {
  return change({ ...state, endedBy: by, holder: null, alarm: null, lease: null }, status)
}

/** A new dispatch: what the queue still has of the old one is void. */
function requeue(state: JobState): Step {
  const alarm = state.mustEnd ?? lastStart(state)
  return change({ ...state, holder: null, dispatch: state.dispatch + 1, alarm, lease: null }, 'queued')
}

function askToEnd(state: JobState, rules: JobRules, now: Instant): JobState {
  return { ...state, cancelRequested: true, alarm: later(now, rules.grace) }
}
