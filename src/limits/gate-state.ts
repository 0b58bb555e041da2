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
  readonly need: Need
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
  /** Input waits in its own socket because nothing is held to pay for more of it; null while it flows. */
  readonly inputHeld: InputHeld | null
  /** Refusals in a row. */
  readonly refusals: number
  readonly room: Room
}

/** What may be bought next, at the most. */
export interface Need {
  /** A response, and the writing down of what is said before it. */
  readonly next: Holding
  /** The writing down alone: the provider does it unasked, whoever starts the responses. */
  readonly writing: Holding
  /** Of that, what is past holding back: audio that was sent, or will be before the gate is asked again. */
  readonly sent: Holding
}

export interface InputHeld {
  readonly since: Instant
  /** The caller has been told which limit it waits for. */
  readonly isTold: boolean
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
  readonly key: string
  readonly kind: Bought
  readonly held: Holding
  readonly since: Instant
}

export interface Open {
  readonly kind: Bought
  /** The most that it may still cost. */
  readonly cost: Holding
  /** When it is not waited for any more; null for a response, whose end always comes. */
  readonly until: Instant | null
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
  | { type: 'need_changed'; need: Need }
  | { type: 'asked'; response: Omit<Waiting, 'since'> }
  /** The conversation has changed, and with it what a response that waits may cost. */
  | { type: 'estimated'; key: string; most: Holding; least: Holding }
  /** Whoever asked does not want it any more. */
  | { type: 'withdrawn'; key: string }
  | { type: 'granted'; held: Holding; room: Room }
  | { type: 'refused'; refusal: Refusal; room: Room; level: BudgetLevel | null }
  | { type: 'store_away' }
  /** The provider has started a response. `cost`: the most it may cost. */
  | { type: 'opened'; id: string; cost: Holding; kind: Waiting['kind'] }
  /** What was said became a turn, which is being written down; `need` is without it. */
  | { type: 'turn_taken'; id: string; cost: Holding; need: Need }
  /** The provider has refused to start what was let through; null: the oldest of the conversation not seen to start. */
  | { type: 'not_started'; key: string | null }
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
  /** Why input is held, and when asking again can help. */
  | { type: 'delay_input'; wait: Ms; refusal: Refusal }
  | { type: 'end'; reason: 'budget_spent' | 'rate_limited' | 'store_unavailable' }

export interface GateStep {
  readonly state: GateState
  readonly effects: readonly GateEffect[]
}

export const NO_NEED: Need = { next: NOTHING_HELD, writing: NOTHING_HELD, sent: NOTHING_HELD }

export function openGate(now: Instant): GateState {
  return {
    mode: 'free',
    since: now,
    lease: NOTHING_HELD,
    mayHold: NOTHING_HELD,
    need: NO_NEED,
    open: new Map(),
    waiting: [],
    admitted: [],
    asking: null,
    retryAt: null,
    standingAt: now,
    stuckSince: null,
    inputHeld: null,
    refusals: 0,
    room: { money: null, tokens: null },
  }
}
