import type { Instant, Ms } from '../units.ts'
import { NOTHING_HELD } from './holding.ts'
import type { BudgetLevel, Holding, Refusal, Room } from './limits.ts'

/**
 * The gate in front of everything a session buys. Responses that a provider starts by itself are covered by a standing
 * lease while there is plenty; near a limit the broker starts them itself, one by one, each for what is left.
 *
 * The ladder, gentlest first: a smaller answer, a later one, a refusal, the end of the session.
 */
export interface GateState {
  /** `free`: the provider may start responses by itself. `controlled`: only the broker starts any. `over`: nobody. */
  readonly mode: 'free' | 'controlled' | 'over'
  readonly since: Instant
  /** What is held in the shared store for sure, whatever becomes of a reservation whose answer is not known. */
  readonly lease: Holding
  /** What may be held there at the most. */
  readonly mayHold: Holding
  /** What the next response may cost at the most, input that is on its way included. */
  readonly next: Holding
  /** Everything under way at the provider. */
  readonly open: ReadonlyMap<string, Open>
  /** Responses asked for and not started, oldest first. */
  readonly waiting: readonly Waiting[]
  /** Responses let through whose start has not been seen yet, oldest first. */
  readonly admitted: readonly Admitted[]
  /** A reservation that has not been answered. */
  readonly asking: Asking | null
  /** When to ask again for what was refused; and again for a standing lease. */
  readonly retryAt: Instant | null
  readonly standingAt: Instant
  /** Since when the session cannot go on because the store does not answer; null while it can. */
  readonly stuckSince: Instant | null
  /** Input waits in its own socket because nothing is left to pay for more of it. */
  readonly isInputHeld: boolean
  /** Refusals in a row. */
  readonly refusals: number
  readonly room: Room
}

/** `response`: in the conversation, which has one at a time. `apart`: beside it. `transcription`: of one turn. */
export type Bought = 'response' | 'apart' | 'transcription'

/** A response that was asked for. */
export interface Waiting {
  /** The broker's own name for it. */
  readonly key: string
  readonly kind: Exclude<Bought, 'transcription'>
  readonly since: Instant
  /** What it may cost at the most, and with the smallest answer that is of any use. */
  readonly most: Holding
  readonly least: Holding
}

export interface Admitted {
  readonly kind: Bought
  readonly held: Holding
  readonly since: Instant
}

export interface Open {
  readonly kind: Bought
  /** The most that it may still cost. */
  readonly cost: Holding
}

/** A reservation for the oldest response, for what may begin by itself, for input, or for no more than is spoken for. */
export interface Asking {
  readonly for: { response: string } | 'standing' | 'input' | 'rest'
  readonly want: Holding
  readonly least: Holding
  /** The lease when it was asked, which a refusal leaves as it was. */
  readonly before: Holding
  /** Spent since: the answer does not know of it. */
  readonly spent: Holding
}

export interface GatePolicy {
  /** Longest time that a response is held back. */
  readonly maxDelay: Ms
  /** Refusals in a row after which the session ends. */
  readonly refusalsBeforeClose: number
  /** How long a session that cannot go on without the store waits for it. */
  readonly grace: Ms
  /** The session buys no responses, only the transcription of what it is sent. */
  readonly transcribesOnly: boolean
}

export type GateEvent =
  /** What the next response may cost has changed. */
  | { type: 'need_changed'; next: Holding }
  | { type: 'asked'; response: Omit<Waiting, 'since'> }
  /** The conversation has changed, and with it what a response that waits may cost. */
  | { type: 'estimated'; key: string; most: Holding; least: Holding }
  /** Whoever asked does not want it any more. */
  | { type: 'withdrawn'; key: string }
  | { type: 'granted'; held: Holding; room: Room }
  | { type: 'refused'; refusal: Refusal; room: Room; level: BudgetLevel | null }
  | { type: 'store_away' }
  /** The provider has started something. `cost`: the most it may cost. */
  | { type: 'opened'; id: string; cost: Holding; kind: Bought }
  /** The provider has refused to start what was let through first of all that has not been seen to start. */
  | { type: 'not_started' }
  /** It is over, and was booked at `spent`. */
  | { type: 'closed'; id: string; spent: Holding }
  | { type: 'tick' }

export type GateEffect =
  | { type: 'reserve'; want: Holding; least: Holding; standing: boolean }
  /** From now on the provider must not start responses by itself; or may again. */
  | { type: 'take_over' }
  | { type: 'give_back' }
  /** `held`: what this response may spend. */
  | { type: 'start'; key: string; held: Holding }
  | { type: 'delay'; key: string; wait: Ms; refusal: Refusal }
  | { type: 'refuse'; key: string; refusal: Refusal }
  /** The provider started it without cover. */
  | { type: 'cancel'; id: string }
  /** Input costs money and there is none left for more of it: stop reading, or go on. */
  | { type: 'hold_input' }
  | { type: 'take_input' }
  | { type: 'end'; reason: 'budget_spent' | 'rate_limited' | 'store_unavailable' }

export interface GateStep {
  readonly state: GateState
  readonly effects: readonly GateEffect[]
}

export function openGate(now: Instant): GateState {
  return {
    mode: 'free',
    since: now,
    lease: NOTHING_HELD,
    mayHold: NOTHING_HELD,
    next: NOTHING_HELD,
    open: new Map(),
    waiting: [],
    admitted: [],
    asking: null,
    retryAt: null,
    standingAt: now,
    stuckSince: null,
    isInputHeld: false,
    refusals: 0,
    room: { money: null, tokens: null },
  }
}
