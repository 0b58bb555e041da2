import { earliest, type Instant, later, type Ms, ms, type NanoUsd, type Tokens } from '../units.ts'
import type { BudgetLevel, Holding, Refusal, Room } from './limits.ts'

/**
 * The gate in front of everything a session buys. Responses that a provider starts by itself are covered by a standing
 * lease while there is plenty; near a limit the broker starts them itself, one by one, each for what is left.
 *
 * The ladder, gentlest first: a smaller answer, a later one, a refusal, the end of the session.
 */
export interface GateState {
  /** `free`: the provider may start responses by itself. `controlled`: only the broker starts any. */
  readonly mode: 'free' | 'controlled'
  readonly since: Instant
  /** What is held in the shared store, by its last answer, less what has been spent since. */
  readonly lease: Holding
  /** What the next response may cost at the most, input that is on its way included. */
  readonly next: Holding
  /** Responses and transcriptions under way: the most that each may still cost. */
  readonly open: ReadonlyMap<string, Open>
  /** Responses asked for and not started, oldest first. */
  readonly waiting: readonly Waiting[]
  /** Responses let through whose start has not been seen yet, oldest first. */
  readonly admitted: readonly Admitted[]
  /** A reservation that has not been answered. */
  readonly asking: Asking | null
  /** When to ask again after a refusal; and again for a standing lease. */
  readonly retryAt: Instant | null
  readonly standingAt: Instant
  /** Since when the store has not answered; null while it does. */
  readonly awaySince: Instant | null
  /** Refusals in a row. */
  readonly refusals: number
  readonly room: Room
}

/** A response that was asked for. */
export interface Waiting {
  /** The broker's own name for it. */
  readonly key: string
  readonly since: Instant
  /** What it may cost at the most, and with the smallest answer that is of any use. */
  readonly most: Holding
  readonly least: Holding
}

interface Admitted {
  readonly held: Holding
  readonly since: Instant
}

interface Open {
  readonly cost: Holding
  readonly isResponse: boolean
}

interface Asking {
  readonly want: Holding
  readonly standing: boolean
  /** Spent since it was asked: the answer does not know of it. */
  readonly spent: Holding
}

export interface GatePolicy {
  /** Longest time that a response is held back. */
  readonly maxDelay: Ms
  /** Refusals in a row after which the session ends. */
  readonly refusalsBeforeClose: number
  /** How long a session goes on without the store once its lease is spent. */
  readonly grace: Ms
  /** The session buys no responses, only the transcription of what it is sent. */
  readonly transcribesOnly: boolean
}

export type GateEvent =
  /** What the next response may cost has changed. */
  | { type: 'need_changed'; next: Holding }
  | { type: 'asked'; response: Omit<Waiting, 'since'> }
  /** Whoever asked does not want it any more. */
  | { type: 'withdrawn'; key: string }
  | { type: 'granted'; held: Holding; room: Room }
  | { type: 'refused'; refusal: Refusal; room: Room; level: BudgetLevel | null }
  | { type: 'store_away' }
  /** The provider has started something: a response, or the transcription of a turn. `cost`: the most it may cost. */
  | { type: 'opened'; id: string; cost: Holding; isResponse: boolean }
  /** The provider has refused to start what was let through last but not seen to start. */
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

/** How many times the next response's cost must be left before the provider may start responses by itself again. */
const PLENTY = 4
/** The mode changes back at most this often. */
const SETTLED_AFTER = ms(5_000)
/** A response that was let through starts within this time, or not at all. */
const STARTED_WITHIN = ms(10_000)
/** Without a better hint, a refused reservation is tried again after this. */
const RETRY = ms(500)
/** A standing lease is renewed before input that is on its way can outgrow it: when less than this share is to spare. */
const SPARE_PERCENT = 10

export const NOTHING_HELD: Holding = { money: 0 as NanoUsd, tokens: 0 as Tokens }

export function openGate(now: Instant): GateState {
  return {
    mode: 'free',
    since: now,
    lease: NOTHING_HELD,
    next: NOTHING_HELD,
    open: new Map(),
    waiting: [],
    admitted: [],
    asking: null,
    retryAt: null,
    standingAt: now,
    awaySince: null,
    refusals: 0,
    room: { money: null, tokens: null },
  }
}

/** Decides what an event means for the gate. Pure. */
export function gate(state: GateState, event: GateEvent, policy: GatePolicy, now: Instant): GateStep {
  switch (event.type) {
    case 'need_changed':
      return goOn({ ...state, next: event.next }, [], policy, now)
    case 'asked': {
      const waiting = [...state.waiting, { ...event.response, since: now }]
      // Whatever was refused before, a new wish is looked at afresh.
      return goOn({ ...state, waiting, retryAt: null }, [], policy, now)
    }
    case 'withdrawn':
      return goOn({ ...state, waiting: state.waiting.filter((w) => w.key !== event.key) }, [], policy, now)
    case 'granted': {
      const lease = minus(event.held, state.asking?.spent ?? NOTHING_HELD)
      const answered = { ...state, lease, room: event.room, asking: null, retryAt: null, awaySince: null }
      if (state.asking?.standing !== true) return goOn(letFirstIn(answered), inputFlows(policy), policy, now)
      if (state.mode === 'free') return goOn(answered, [], policy, now)
      return goOn({ ...answered, mode: 'free', since: now }, [{ type: 'give_back' }], policy, now)
    }
    case 'refused':
      return refused({ ...state, asking: null, room: event.room, awaySince: null }, state, event, policy, now)
    case 'store_away':
      return goOn(
        { ...state, asking: null, awaySince: state.awaySince ?? now, retryAt: later(now, RETRY) },
        [],
        policy,
        now,
      )
    case 'opened':
      return opened(state, event, policy, now)
    case 'not_started':
      return goOn({ ...state, admitted: state.admitted.slice(1) }, [], policy, now)
    case 'closed': {
      const open = new Map(state.open)
      open.delete(event.id)
      const asking = state.asking === null ? null : { ...state.asking, spent: plus(state.asking.spent, event.spent) }
      return goOn({ ...state, open, asking, lease: minus(state.lease, event.spent) }, [], policy, now)
    }
    case 'tick':
      return goOn(state, [], policy, now)
  }
}

/** When the gate must be looked at again if nothing happens; null: never. */
export function gateDeadline(state: GateState, policy: GatePolicy): Instant | null {
  const instants: Instant[] = []
  if (state.retryAt !== null && state.asking === null) instants.push(state.retryAt)
  const oldest = state.waiting[0]
  if (oldest !== undefined) instants.push(later(oldest.since, policy.maxDelay))
  return instants.length === 0 ? null : instants.reduce(earliest)
}

// ---- steps ----

function opened(
  state: GateState,
  event: Extract<GateEvent, { type: 'opened' }>,
  policy: GatePolicy,
  now: Instant,
): GateStep {
  const { id, isResponse } = event
  const [mine, ...admitted] = isResponse ? state.admitted : []
  if (mine !== undefined) {
    const open = new Map(state.open).set(id, { cost: mine.held, isResponse })
    return goOn({ ...state, admitted, open }, [], policy, now)
  }
  const open = new Map(state.open).set(id, { cost: event.cost, isResponse })
  if (!isResponse) return goOn({ ...state, open }, [], policy, now)
  // Nobody asked here: the provider started it by itself.
  const isCovered = state.mode === 'free' && covers(state.lease, committed({ ...state, open }))
  if (isCovered) return goOn({ ...state, open }, [], policy, now)
  return goOn({ ...state, open }, [{ type: 'cancel', id }], policy, now)
}

function refused(
  state: GateState,
  before: GateState,
  { refusal, level }: Extract<GateEvent, { type: 'refused' }>,
  policy: GatePolicy,
  now: Instant,
): GateStep {
  if (before.asking?.standing === true) {
    // A standing lease is a convenience: without one, responses are started one by one.
    const next = { ...state, standingAt: later(now, SETTLED_AFTER) }
    if (next.mode === 'controlled') return goOn(next, [], policy, now)
    return goOn({ ...next, mode: 'controlled', since: now }, [{ type: 'take_over' }], policy, now)
  }
  const first = state.waiting[0]
  const isSpent = isMoney(refusal) && isUsedUp(refusal, level, first?.least.money ?? state.next.money)
  if (first !== undefined && (isSpent || overdue(first, policy, now) || !worthWaiting(first, refusal, policy, now))) {
    return turnDown(state, first, refusal, isSpent, policy, now)
  }
  if (isSpent && policy.transcribesOnly) return end(state, 'budget_spent', [])
  const wait =
    refusal.wait === null || isMoney(refusal) ? RETRY : ms(Math.max(50, Math.min(refusal.wait, policy.maxDelay)))
  const effects: GateEffect[] = first === undefined ? [] : [{ type: 'delay', key: first.key, wait, refusal }]
  if (policy.transcribesOnly) effects.push({ type: 'hold_input' })
  return { state: { ...state, retryAt: later(now, wait) }, effects }
}

/** Refuses the oldest response; at the end of patience, or of the money, the session ends. */
function turnDown(
  state: GateState,
  first: Waiting,
  refusal: Refusal,
  isSpent: boolean,
  policy: GatePolicy,
  now: Instant,
): GateStep {
  const all: GateEffect[] = [{ type: 'refuse', key: first.key, refusal }]
  const next = { ...state, waiting: state.waiting.slice(1), refusals: state.refusals + 1, retryAt: null }
  if (isSpent) return end(next, 'budget_spent', all)
  if (next.refusals >= policy.refusalsBeforeClose) {
    return end(next, isMoney(refusal) ? 'budget_spent' : 'rate_limited', all)
  }
  return goOn(next, all, policy, now)
}

function end(
  state: GateState,
  reason: Extract<GateEffect, { type: 'end' }>['reason'],
  effects: readonly GateEffect[],
): GateStep {
  return { state: { ...state, waiting: [], retryAt: null }, effects: [...effects, { type: 'end', reason }] }
}

/** The oldest response has been given what there was for it: less than asked for makes it smaller, not later. */
function letFirstIn(state: GateState): GateState {
  const [first, ...rest] = state.waiting
  if (first === undefined) return state
  const free = minus(state.lease, committed(state))
  if (covers(free, first.most) || !covers(free, first.least)) return state
  return { ...state, waiting: [{ ...first, most: free }, ...rest] }
}

const inputFlows = (policy: GatePolicy): GateEffect[] => (policy.transcribesOnly ? [{ type: 'take_input' }] : [])

/** Asked after every event: lets through what is covered, asks the store for what is not. */
function goOn(from: GateState, before: readonly GateEffect[], policy: GatePolicy, now: Instant): GateStep {
  // A start that was lost on its way is not waited for without end.
  let state = { ...from, admitted: from.admitted.filter((a) => now < later(a.since, STARTED_WITHIN)) }
  const effects: GateEffect[] = [...before]
  for (let first = state.waiting[0]; first !== undefined; first = state.waiting[0]) {
    if (!covers(minus(state.lease, committed(state)), first.most)) break
    effects.push({ type: 'start', key: first.key, held: first.most })
    state = {
      ...state,
      waiting: state.waiting.slice(1),
      admitted: [...state.admitted, { held: first.most, since: now }],
      refusals: 0,
    }
  }
  if (state.awaySince !== null && state.waiting.length > 0 && now >= later(state.awaySince, policy.grace)) {
    return end(state, 'store_unavailable', effects)
  }
  const ask = whatToAsk(state, policy, now)
  if (ask === null) return { state, effects }
  const { least, ...asking } = ask
  effects.push({ type: 'reserve', want: ask.want, least, standing: ask.standing })
  return { state: { ...state, asking: { ...asking, spent: NOTHING_HELD }, retryAt: null }, effects }
}

/** The reservation to make now; null when nothing is missing, one is under way, or it is too early. */
function whatToAsk(
  state: GateState,
  policy: GatePolicy,
  now: Instant,
): { want: Holding; least: Holding; standing: boolean } | null {
  if (state.asking !== null || (state.retryAt !== null && now < state.retryAt)) return null
  const bound = committed(state)
  const first = state.waiting[0]
  if (first !== undefined) return { want: plus(bound, first.most), least: plus(bound, first.least), standing: false }
  const standing = plus(bound, withSpare(state.next))
  if (policy.transcribesOnly) {
    return covers(state.lease, plus(bound, state.next)) ? null : { want: standing, least: standing, standing: false }
  }
  const isAnswering = state.admitted.length > 0 || [...state.open.values()].some((o) => o.isResponse)
  if (state.mode === 'free') {
    // A conversation has one response at a time: the next can begin by itself only when this one is over.
    if (isAnswering) return null
    if (covers(state.lease, plus(bound, state.next))) return null
    return now < state.standingAt ? null : { want: standing, least: standing, standing: true }
  }
  const mayGoBack = !isAnswering && now >= state.standingAt && now >= later(state.since, SETTLED_AFTER)
  if (mayGoBack && isPlenty(state)) return { want: standing, least: standing, standing: true }
  // What a smaller answer than feared has left over is somebody else's.
  return isMoreThan(state.lease, bound) ? { want: bound, least: bound, standing: false } : null
}

// ---- amounts ----

/** What is spoken for: everything under way, and what was let through and has not been seen to start. */
function committed(state: GateState): Holding {
  return plus(sum([...state.open.values()].map((o) => o.cost)), sum(state.admitted.map((a) => a.held)))
}

function isPlenty({ room, next, lease }: GateState): boolean {
  const money = room.money === null || room.money + lease.money >= next.money * PLENTY
  const tokens = room.tokens === null || room.tokens + lease.tokens >= next.tokens * PLENTY
  return money && tokens
}

/** Not even the smallest answer fits, whatever others give back. */
function isUsedUp(refusal: Refusal, level: BudgetLevel | null, least: NanoUsd): boolean {
  if (level === null || level.account !== refusal.account || level.limit !== refusal.limit) return false
  return level.cap - level.spent < least
}

const isMoney = (refusal: Refusal) => ['budget', 'day', 'month'].includes(refusal.limit)
const overdue = (w: Waiting, policy: GatePolicy, now: Instant) => now >= later(w.since, policy.maxDelay)

/** Money that others merely hold comes back at an unknown time: it is waited for; a known wait must fit. */
function worthWaiting(first: Waiting, refusal: Refusal, policy: GatePolicy, now: Instant): boolean {
  if (refusal.wait === null || isMoney(refusal)) return true
  return later(now, refusal.wait) <= later(first.since, policy.maxDelay)
}

const withSpare = (h: Holding): Holding => ({
  money: Math.ceil((h.money * (100 + SPARE_PERCENT)) / 100) as NanoUsd,
  tokens: Math.ceil((h.tokens * (100 + SPARE_PERCENT)) / 100) as Tokens,
})

export const plus = (a: Holding, b: Holding): Holding => ({
  money: (a.money + b.money) as NanoUsd,
  tokens: (a.tokens + b.tokens) as Tokens,
})
/** Never below nothing. */
export const minus = (a: Holding, b: Holding): Holding => ({
  money: Math.max(0, a.money - b.money) as NanoUsd,
  tokens: Math.max(0, a.tokens - b.tokens) as Tokens,
})
const covers = (lease: Holding, need: Holding) => lease.money >= need.money && lease.tokens >= need.tokens
const isMoreThan = (a: Holding, b: Holding) => a.money > b.money || a.tokens > b.tokens
const sum = (all: readonly Holding[]): Holding => all.reduce(plus, NOTHING_HELD)
