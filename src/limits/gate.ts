import { earliest, type Instant, later, ms, type NanoUsd } from '../units.ts'
import type {
  Asking,
  Bought,
  GateEffect,
  GateEvent,
  GatePolicy,
  GateState,
  GateStep,
  Open,
  Waiting,
} from './gate-state.ts'
import { covers, greater, isAnything, lesser, minus, NOTHING_HELD, plus, sum, times } from './holding.ts'
import type { BudgetLevel, Holding, Refusal } from './limits.ts'

/** How many times the next response's cost must be left before the provider may start responses by itself again. */
const PLENTY = 4
/** The mode changes back, and what is not needed is given back, at most this often. */
const SETTLED_AFTER = ms(5_000)
/** A response that was let through starts within this time, or not at all. */
const STARTED_WITHIN = ms(10_000)
/** A turn that is not written down within this time is not waited for: what was held for it is free again. */
const WRITTEN_WITHIN = ms(60_000)
/** A session whose input has waited this long for a limit ends: any tokens that were in its way have aged by then. */
export const LONGEST_HOLD = ms(90_000)
/** Without a better hint, a refused reservation is tried again after this. */
export const RETRY = ms(500)
const SHORTEST_RETRY = ms(50)
/** A standing lease is renewed before input that is on its way can outgrow it: so much is asked for, percent. */
const WITH_SPARE = 110
/** A conversation has one response at a time: who asks for so many more is a loop. */
export const MOST_WAITING = 32
const TOO_MANY_WAIT: Refusal = { account: 'session', limit: 'tokens', wait: RETRY }

/** Decides what an event means for the gate. Pure. */
export function gate(state: GateState, event: GateEvent, policy: GatePolicy, now: Instant): GateStep {
  if (state.mode === 'over') return { state, effects: [] }
  switch (event.type) {
    case 'need_changed':
      return goOn({ ...state, need: event.need }, [], policy, now)
    case 'asked': {
      const { waiting } = state
      if (waiting.length >= MOST_WAITING) return turnDown(state, event.response.key, TOO_MANY_WAIT, false, policy, now)
      // Whatever was refused before, the first wish of a queue is looked at afresh.
      const retryAt = waiting.length === 0 ? null : state.retryAt
      return goOn({ ...state, waiting: [...waiting, { ...event.response, since: now }], retryAt }, [], policy, now)
    }
    case 'estimated': {
      const { key, most, least } = event
      const waiting = state.waiting.map((w) => (w.key === key ? { ...w, most, least } : w))
      return goOn({ ...state, waiting }, [], policy, now)
    }
    case 'withdrawn':
      return goOn(without(state, event.key), [], policy, now)
    case 'granted':
      return granted(state, event, policy, now)
    case 'refused':
      return refused(state, event, policy, now)
    case 'store_away': {
      const { want, spent } = state.asking ?? { want: NOTHING_HELD, spent: NOTHING_HELD }
      // It may have been granted all the same.
      const mayHold = greater(state.mayHold, minus(want, spent))
      const away = { ...state, mayHold, asking: null, retryAt: later(now, RETRY), stuckSince: state.stuckSince ?? now }
      return goOn(away, [], policy, now)
    }
    case 'opened':
      return opened(state, event, policy, now)
    case 'turn_taken': {
      const { id, cost, need } = event
      const turn: Open = { kind: 'transcription', cost, until: later(now, WRITTEN_WITHIN) }
      return goOn({ ...state, need, open: new Map(state.open).set(id, turn) }, [], policy, now)
    }
    case 'not_started': {
      const { key } = event
      const lost = state.admitted.findIndex((a) => (key === null ? a.kind === 'response' : a.key === key))
      return goOn({ ...state, admitted: state.admitted.filter((_, i) => i !== lost) }, [], policy, now)
    }
    case 'closed': {
      const open = new Map(state.open)
      open.delete(event.id)
      const asking = state.asking === null ? null : { ...state.asking, spent: plus(state.asking.spent, event.spent) }
      const lease = minus(state.lease, event.spent)
      return goOn({ ...state, open, asking, lease, mayHold: minus(state.mayHold, event.spent) }, [], policy, now)
    }
    case 'tick':
      return goOn(state, [], policy, now)
  }
}

/** When the gate must be looked at again if nothing happens: always ahead. Null: never. */
export function gateDeadline(state: GateState): Instant | null {
  if (state.mode === 'over') return null
  const instants = state.admitted.map((a) => later(a.since, STARTED_WITHIN))
  for (const { until } of state.open.values()) if (until !== null) instants.push(until)
  if (state.retryAt !== null && state.asking === null) instants.push(state.retryAt)
  return instants.length === 0 ? null : instants.reduce(earliest)
}

// ---- steps ----

function opened(
  state: GateState,
  { id, kind, cost }: Extract<GateEvent, { type: 'opened' }>,
  policy: GatePolicy,
  now: Instant,
): GateStep {
  const mine = state.admitted.find((a) => a.kind === kind)
  const open = new Map(state.open).set(id, { kind, cost: mine?.held ?? cost, until: null })
  const next = { ...state, open, admitted: state.admitted.filter((a) => a !== mine) }
  if (mine !== undefined) return goOn(next, [], policy, now)
  // Nobody asked here: the provider started it by itself.
  const isCovered = state.mode === 'free' && covers(state.lease, plus(committed(next), state.need.sent))
  return goOn(next, isCovered ? [] : [{ type: 'cancel', id }], policy, now)
}

function granted(
  state: GateState,
  { held, room }: Extract<GateEvent, { type: 'granted' }>,
  policy: GatePolicy,
  now: Instant,
): GateStep {
  const { asking } = state
  const lease = minus(held, asking?.spent ?? NOTHING_HELD)
  const next = { ...state, lease, mayHold: lease, room, asking: null, retryAt: null, stuckSince: null }
  if (asking?.for !== 'standing') return goOn(letFirstIn(next, asking), [], policy, now)
  if (state.mode === 'free') return goOn(next, [], policy, now)
  return goOn({ ...next, mode: 'free', since: now }, [{ type: 'give_back' }], policy, now)
}

function refused(
  before: GateState,
  { refusal, room, level }: Extract<GateEvent, { type: 'refused' }>,
  policy: GatePolicy,
  now: Instant,
): GateStep {
  const lease = before.asking === null ? before.lease : minus(before.asking.before, before.asking.spent)
  const state = { ...before, lease, asking: null, room, retryAt: null, stuckSince: null }
  const about = before.asking?.for ?? 'rest'
  if (about === 'standing') {
    // A standing lease is a convenience: without one, responses are started one by one.
    const next = { ...state, standingAt: later(now, SETTLED_AFTER) }
    if (next.mode === 'controlled') return goOn(next, [], policy, now)
    return goOn({ ...next, mode: 'controlled', since: now }, [{ type: 'take_over' }], policy, now)
  }
  if (about === 'input') return inputRefused(state, refusal, level, policy, now)
  const wait = isMoney(refusal) ? RETRY : (refusal.wait ?? RETRY)
  const first = state.waiting[0]
  if (about === 'rest') return goOn(first ? state : { ...state, retryAt: later(now, SETTLED_AFTER) }, [], policy, now)
  // Whoever asked is gone: the next one is judged by what it needs itself.
  if (first?.key !== about.response) return goOn(state, [], policy, now)
  const until = later(first.since, policy.maxDelay)
  const isSpent = isUsedUp(refusal, level, plus(first.least, state.need.writing).money)
  // Money that others merely hold comes back at an unknown time: it is waited for; a known wait must fit.
  const isTooLong = !isMoney(refusal) && refusal.wait !== null && later(now, refusal.wait) > until
  if (isSpent || isTooLong || now >= until) {
    return turnDown(state, first.key, refusal, isSpent, policy, now)
  }
  // The last look is taken when patience ends.
  const retryAt = earliest(later(now, ms(Math.max(SHORTEST_RETRY, wait))), until)
  const delay: GateEffect = { type: 'delay', key: first.key, wait: ms(retryAt - now), refusal }
  return goOn({ ...state, retryAt }, [delay], policy, now)
}

/** There is nothing to pay for more input with: it waits, and a session that has waited too long ends. */
function inputRefused(
  state: GateState,
  refusal: Refusal,
  level: BudgetLevel | null,
  policy: GatePolicy,
  now: Instant,
): GateStep {
  const { inputHeld } = state
  const isBusy = state.waiting.length > 0 || isBuying(state)
  if (!isBusy && isUsedUp(refusal, level, state.need.writing.money)) return end(state, 'budget_spent', [])
  if (inputHeld !== null && now >= later(inputHeld.since, LONGEST_HOLD))
    return end(state, isMoney(refusal) ? 'budget_spent' : 'rate_limited', [])
  const hint = isMoney(refusal) ? RETRY : (refusal.wait ?? RETRY)
  const wait = ms(Math.max(SHORTEST_RETRY, Math.min(hint, policy.maxDelay)))
  const next = { ...state, retryAt: later(now, wait) }
  if (inputHeld === null || inputHeld.isTold) return goOn(next, [], policy, now)
  const told: GateEffect = { type: 'delay_input', wait, refusal }
  return goOn({ ...next, inputHeld: { ...inputHeld, isTold: true } }, [told], policy, now)
}

/** Refuses a response; at the end of patience, or of the money, the session ends. */
function turnDown(
  state: GateState,
  key: string,
  refusal: Refusal,
  isSpent: boolean,
  policy: GatePolicy,
  now: Instant,
): GateStep {
  const told: GateEffect[] = [{ type: 'refuse', key, refusal }]
  const next = { ...without(state, key), refusals: state.refusals + 1 }
  if (isSpent) return end(next, 'budget_spent', told)
  if (next.refusals < policy.refusalsBeforeClose) return goOn(next, told, policy, now)
  return end(next, isMoney(refusal) ? 'budget_spent' : 'rate_limited', told)
}

/** Nothing comes after it. */
function end(
  state: GateState,
  reason: Extract<GateEffect, { type: 'end' }>['reason'],
  effects: readonly GateEffect[],
): GateStep {
  return { state: { ...state, mode: 'over', waiting: [] }, effects: [...effects, { type: 'end', reason }] }
}

/** Takes a response out of the queue; the one behind it is looked at afresh. */
function without(state: GateState, key: string): GateState {
  const waiting = state.waiting.filter((w) => w.key !== key)
  return { ...state, waiting, retryAt: waiting[0] === state.waiting[0] ? state.retryAt : null }
}

/** A response that was given less than it asked for becomes smaller, not later. */
function letFirstIn(state: GateState, asking: Asking | null): GateState {
  const [first, ...rest] = state.waiting
  if (first === undefined || asking === null || !isFor(asking, first)) return state
  const free = minus(state.lease, bespoken(state))
  if (covers(free, first.most) || !covers(free, first.least)) return state
  return { ...state, waiting: [{ ...first, most: lesser(first.most, free) }, ...rest] }
}

/** Asked after every event: lets through what is covered, asks the store for what is not. */
function goOn(from: GateState, before: readonly GateEffect[], policy: GatePolicy, now: Instant): GateStep {
  // What was lost on its way is not waited for without end.
  let state: GateState = {
    ...from,
    admitted: from.admitted.filter((a) => now < later(a.since, STARTED_WITHIN)),
    open: withoutLate(from.open, now),
  }
  const effects: GateEffect[] = [...before]
  for (let first = state.waiting[0]; first !== undefined; first = state.waiting[0]) {
    if (!covers(minus(state.lease, bespoken(state)), first.most)) break
    const { key, kind, most: held } = first
    effects.push({ type: 'start', key, held })
    state = {
      ...state,
      waiting: state.waiting.slice(1),
      admitted: [...state.admitted, { key, kind, held, since: now }],
      retryAt: null,
      refusals: 0,
    }
  }
  if (!isDry(state)) {
    if (state.inputHeld !== null) effects.push({ type: 'take_input' })
    state = { ...state, inputHeld: null, stuckSince: state.waiting.length === 0 ? null : state.stuckSince }
  } else if (state.inputHeld === null) {
    effects.push({ type: 'hold_input' })
    // Whatever was refused in advance, what is missing now is looked at afresh.
    const retryAt = state.waiting.length === 0 ? null : state.retryAt
    state = { ...state, inputHeld: { since: now, isTold: false }, retryAt }
  }
  if (state.asking !== null) return { state, effects }
  if (state.stuckSince !== null && now >= later(state.stuckSince, policy.grace)) {
    return end(state, 'store_unavailable', effects)
  }
  if (state.retryAt !== null && now < state.retryAt) return { state, effects }
  const asking = whatToAsk(state, policy, now)
  if (asking === null) return { state: { ...state, retryAt: null }, effects }
  const { want, least } = asking
  effects.push({ type: 'reserve', want, least, standing: asking.for === 'standing' })
  const lease = lesser(state.lease, least)
  const asked = { ...asking, before: state.lease, spent: NOTHING_HELD }
  return { state: { ...state, lease, asking: asked, retryAt: null }, effects }
}

/** What to ask the store for; null when nothing is missing, or too much at the moment. */
function whatToAsk(state: GateState, policy: GatePolicy, now: Instant): Pick<Asking, 'for' | 'want' | 'least'> | null {
  const bound = committed(state)
  const { next, writing } = state.need
  // What the provider writes down unasked comes before what it must be asked for.
  const least = bespoken(state)
  const want = plus(bound, times(writing, WITH_SPARE))
  const first = state.waiting[0]
  if (first !== undefined) {
    return { for: { response: first.key }, want: plus(want, first.most), least: plus(least, first.least) }
  }
  // A conversation has one response at a time: the next can begin by itself only when this one is over.
  const isAnswering = isBuying(state, 'response')
  const standing = plus(bound, times(next, WITH_SPARE))
  if (state.mode === 'free' && !policy.transcribesOnly && !isAnswering && now >= state.standingAt) {
    if (!covers(state.lease, plus(bound, next))) return { for: 'standing', want: standing, least: standing }
  }
  if (isAnything(writing) && !covers(state.lease, least)) return { for: 'input', want, least }
  if (state.mode === 'free') return null
  const mayGoBack = !isAnswering && now >= state.standingAt && now >= later(state.since, SETTLED_AFTER)
  if (mayGoBack && isPlenty(state)) return { for: 'standing', want: standing, least: standing }
  // What a smaller answer than feared has left over is somebody else's.
  return covers(want, state.mayHold) ? null : { for: 'rest', want, least }
}

const isFor = (asking: Asking, { key }: Waiting) => typeof asking.for === 'object' && asking.for.response === key

// ---- amounts ----

/** What is spoken for: everything under way, and what was let through and has not been seen to start. */
function committed(state: GateState): Holding {
  return plus(sum([...state.open.values()].map((o) => o.cost)), sum(state.admitted.map((a) => a.held)))
}

/** All that, and what the provider may write down by itself. */
const bespoken = (state: GateState): Holding => plus(committed(state), state.need.writing)

/** Audio that the provider has, or is about to have, could be written down without cover: no more of it may come. */
function isDry(state: GateState): boolean {
  const { sent } = state.need
  return isAnything(sent) && !covers(state.lease, plus(committed(state), sent))
}

/** Responses are under way, or about to be. */
function isBuying({ admitted, open }: GateState, kind: Bought | null = null): boolean {
  return [...admitted, ...open.values()].some((r) => (kind === null ? r.kind !== 'transcription' : r.kind === kind))
}

function withoutLate(open: GateState['open'], now: Instant): GateState['open'] {
  const isLate = ({ until }: Open) => until !== null && now >= until
  if (![...open.values()].some(isLate)) return open
  return new Map([...open].filter(([, one]) => !isLate(one)))
}

function isPlenty({ room, need: { next }, lease }: GateState): boolean {
  const money = room.money === null || room.money + lease.money >= next.money * PLENTY
  const tokens = room.tokens === null || room.tokens + lease.tokens >= next.tokens * PLENTY
  return money && tokens
}

const isMoney = (refusal: Refusal) => ['budget', 'day', 'month'].includes(refusal.limit)

/** Not even the smallest answer fits, whatever others give back. */
function isUsedUp(refusal: Refusal, level: BudgetLevel | null, least: NanoUsd): boolean {
  if (!isMoney(refusal) || level === null) return false
  return level.account === refusal.account && level.limit === refusal.limit && level.cap - level.spent < least
}
