import type { Caller } from '../test/support/caller.ts'

/** A scope of accounts and one kind of limit, in the words of the events. */
export interface Refusal {
  /** Epoch ms. */
  readonly at: number
  /** `any`: whose limit it was, the caller was not told. */
  readonly account: 'session' | 'user' | 'tenant' | 'installation' | 'any'
  readonly limit: 'sessions' | 'starts' | 'tokens' | 'money'
  readonly tenant: string
  readonly user: string | null
  /** Null at the door. */
  readonly session: string | null
}

/** One try to get in, however it ended. */
export interface Attempt {
  readonly tenant: string
  readonly user: string | null
  readonly from: number
  /** When it was answered, or given up; it may have been counted at any time until then. */
  to: number
  /** `unsure`: the line was lost, or the store was away, so that a slot may have been taken all the same. */
  outcome: 'admitted' | 'refused' | 'unsure'
}

/** Everything that callers saw of one session, on whatever connections. Times in epoch ms. */
export class SessionSeen {
  readonly id: string
  readonly tenant: string
  readonly user: string | null
  readonly from: number
  /** When its caller had left it for good. */
  to = Number.POSITIVE_INFINITY
  /** The caller closed the connection, or was told the end: nothing is waited for any more. */
  isClean = false
  readonly providerSessions = new Set<string>()
  /** Responses and transcribed turns, by the provider's ids. */
  readonly bought = new Set<string>()
  readonly reasonsTold: string[] = []
  resumes = 0

  constructor(id: string, tenant: string, user: string | null, from: number) {
    this.id = id
    this.tenant = tenant
    this.user = user
    this.from = from
  }
}

const MONEY = new Set(['budget', 'day', 'month'])

/** What was seen from outside in a whole run. */
export class Witness {
  readonly sessions = new Map<string, SessionSeen>()
  readonly attempts: Attempt[] = []
  readonly refusals: Refusal[] = []
  delayed = 0
  doubles = { tried: 0, bothIn: 0 }

  /** A session that a caller was let into. */
  admitted(id: string, tenant: string, user: string | null, from: number): SessionSeen {
    const seen = new SessionSeen(id, tenant, user, from)
    this.sessions.set(id, seen)
    return seen
  }

  /** Takes down what a connection of a session has brought; once, when it is over. */
  read(caller: Caller, session: SessionSeen): void {
    caller.events.forEach((event, i) => {
      const at = performance.timeOrigin + (caller.times[i] ?? 0)
      const whose = { tenant: session.tenant, user: session.user, session: session.id }
      switch (event.type) {
        case 'session.created':
        case 'session.updated':
          session.providerSessions.add(String((event.session as { id: unknown }).id))
          return
        case 'response.created':
          session.bought.add(String((event.response as { id: unknown }).id))
          return
        case 'conversation.item.input_audio_transcription.completed':
          session.bought.add(String(event.item_id))
          return
        case 'parley.session_ended':
          session.reasonsTold.push(String(event.reason))
          return
        case 'parley.throttled': {
          if (event.action === 'delayed') this.delayed++
          if (event.action !== 'refused') return
          const limit = MONEY.has(String(event.limit)) ? 'money' : 'tokens'
          this.refusals.push({ at, account: event.account as Refusal['account'], limit, ...whose })
        }
      }
    })
  }

  /** A caller was refused at the door. */
  turnedAway(error: { code: string; message: string }, tenant: string, user: string | null, at: number): void {
    // A session that ended at its first look at its money is told so in words for any account.
    const isAny = error.message.includes('this session or account')
    const named = (/This (session|user|tenant|installation)|budget of this (\w+)/.exec(error.message) ?? [])
      .slice(1)
      .find((name) => name !== undefined)
    const account = isAny ? 'any' : named
    if (account === undefined) throw new Error(`a refusal that names no account: ${error.code}, ${error.message}`)
    const isMoney = error.code === 'insufficient_quota'
    const limit = isMoney ? 'money' : error.message.includes('too fast') ? 'starts' : 'sessions'
    this.refusals.push({ at, account: account as Refusal['account'], limit, tenant, user, session: null })
  }
}
