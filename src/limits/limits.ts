import type { Instant, Ms, NanoUsd, Tokens } from '../units.ts'

/** Whose limit it is. A decision is judged against one account of each kind that applies, all at once. */
export type AccountKind = 'session' | 'user' | 'tenant' | 'installation'

/** What one account may do. Null: no limit of that kind. */
export interface AccountLimits {
  /** Sessions at the same time. */
  readonly sessions: number | null
  /** Sessions begun in any 60 s. */
  readonly startsPerMinute: number | null
  /** Weighted tokens bought in any 60 s; what a response under way may still buy counts as bought. */
  readonly tokensPerMinute: Tokens | null
  /** Money in the account's whole life (a session), in a UTC day, in a UTC month. */
  readonly budget: NanoUsd | null
  readonly perDay: NanoUsd | null
  readonly perMonth: NanoUsd | null
}

/** An account and its limits. `id` is one of ours: `[A-Za-z0-9_-]{1,80}`, unique within its kind. */
export interface Account {
  readonly kind: AccountKind
  readonly id: string
  readonly limits: AccountLimits
}

export const UNLIMITED: AccountLimits = {
  sessions: null,
  startsPerMinute: null,
  tokensPerMinute: null,
  budget: null,
  perDay: null,
  perMonth: null,
}

/** What a session holds for responses that are under way or may begin at any moment: reserved, not yet spent. */
export interface Holding {
  readonly money: NanoUsd
  /** Weighted tokens. */
  readonly tokens: Tokens
}

export type LimitKind = 'sessions' | 'starts' | 'tokens' | 'budget' | 'day' | 'month'

/** Why something was refused: the first limit in the way, and when asking again can help. */
export interface Refusal {
  readonly account: AccountKind
  readonly limit: LimitKind
  /**
   * How long until the limit lets as much through, if nothing else happens: the wait for starts and tokens, the rest of
   * the day or month for money. Null where waiting does not help: a session's budget, or slots that others hold.
   */
  readonly wait: Ms | null
}

/** What is left to an account or to the tightest of several. Null: not limited. */
export interface Room {
  readonly money: NanoUsd | null
  readonly tokens: Tokens | null
}

/** How near a budget is to its end, for warnings: the nearest of all that apply, by share spent. */
export interface BudgetLevel {
  readonly account: AccountKind
  readonly limit: 'budget' | 'day' | 'month'
  readonly spent: NanoUsd
  readonly cap: NanoUsd
}

/** One account as `GET /v1/limits` shows it. */
export interface AccountState {
  readonly kind: AccountKind
  readonly id: string
  readonly limits: AccountLimits
  readonly sessions: number
  readonly startsLastMinute: number
  /** Settled in the last 60 s, and held. */
  readonly tokensLastMinute: Tokens
  readonly tokensHeld: Tokens
  /** When enough of what was bought has aged for one more token; null while there is room. */
  readonly tokensRefillAt: Instant | null
  readonly money: readonly {
    readonly limit: 'budget' | 'day' | 'month'
    readonly spent: NanoUsd
    readonly held: NanoUsd
  }[]
}
