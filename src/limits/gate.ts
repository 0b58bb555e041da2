import { earliest, type Instant, later, ms, type NanoUsd } from '../units.ts'
import type { Asking, GateEffect, GateEvent, GatePolicy, GateState, GateStep, Waiting } from './gate-state.ts'
import { covers, greater, lesser, minus, NOTHING_HELD, plus, sum, times } from './holding.ts'
import type { BudgetLevel, Holding, Refusal } from './limits.ts'

/** How many times the next response's cost must be left before the provider may start responses by itself again. */
const PLENTY = 4
/** The mode changes back, and what is not needed is given back, at most this often. */
const SETTLED_AFTER = ms(5_000)
/** A response that was let through starts within this time, or not at all. */
const STARTED_WITHIN = ms(10_000)
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
      return goOn({ ...state, next: event.next }, [], policy, now)
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
      return goOn(...holdIfDry(away, policy), policy, now)
    }
    case 'opened':
      return opened(state, event, policy, now)
    case 'not_started': {
      const lost = state.admitted.findIndex((a) => a.kind === 'response')
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
  const mine = kind === 'transcription' ? undefined : state.admitted.find((a) => a.kind === kind)
  const open = new Map(state.open).set(id, { kind, cost: mine?.held ?? cost })
  const next = { ...state, open, admitted: state.admitted.filter((a) => a !== mine) }
  if (mine !== undefined || kind === 'transcription') return goOn(next, [], policy, now)
  // Nobody asked here: the provider started it by itself.
  const isCovered = state.mode === 'free' && covers(state.lease, committed(next))
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
  const wait = isMoney(refusal) ? RETRY : (refusal.wait ?? RETRY)
  if (about === 'input') {
    if (isUsedUp(refusal, level, state.next.money)) return end(state, 'budget_spent', [])
    const retryAt = later(now, ms(Math.max(SHORTEST_RETRY, Math.min(wait, policy.maxDelay))))
    return goOn(...holdIfDry({ ...state, retryAt }, policy), policy, now)
  }
  const first = state.waiting[0]
  if (about === 'rest') return goOn(first ? state : { ...state, retryAt: later(now, SETTLED_AFTER) }, [], policy, now)
  // Whoever asked is gone: the next one is judged by what it needs itself.
  if (first?.key !== about.response) return goOn(state, [], policy, now)
  const until = later(first.since, policy.maxDelay)
  const isSpent = isUsedUp(refusal, level, first.least.money)
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
  const free = minus(state.lease, committed(state))
  if (covers(free, first.most) || !covers(free, first.least)) return state
  return { ...state, waiting: [{ ...first, most: lesser(first.most, free) }, ...rest] }
}

/** Asked after every event: lets through what is covered, asks the store for what is not. */
function goOn(from: GateState, before: readonly GateEffect[], policy: GatePolicy, now: Instant): GateStep {
  // A start that was lost on its way is not waited for without end.
  let state = { ...from, admitted: from.admitted.filter((a) => now < later(a.since, STARTED_WITHIN)) }
  const effects: GateEffect[] = [...before]
  for (let first = state.waiting[0]; first !== undefined; first = state.waiting[0]) {
    if (!covers(minus(state.lease, committed(state)), first.most)) break
    const { key, kind, most: held } = first
    effects.push({ type: 'start', key, held })
    state = {
      ...state,
      waiting: state.waiting.slice(1),
      admitted: [...state.admitted, { kind, held, since: now }],
      retryAt: null,
      refusals: 0,
    }
  }
  if (!isDry(state, policy)) {
    if (state.isInputHeld) effects.push({ type: 'take_input' })
    state = { ...state, isInputHeld: false, stuckSince: state.waiting.length === 0 ? null : state.stuckSince }
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
  const first = state.waiting[0]
  if (first !== undefined) {
    return { for: { response: first.key }, want: plus(bound, first.most), least: plus(bound, first.least) }
  }
  const need = plus(bound, state.next)
  const want = plus(bound, times(state.next, WITH_SPARE))
  if (policy.transcribesOnly) return covers(state.lease, need) ? null : { for: 'input', want, least: want }
  // A conversation has one response at a time: the next can begin by itself only when this one is over.
  const isAnswering = [...state.admitted, ...state.open.values()].some((r) => r.kind === 'response')
  if (state.mode === 'free') {
    if (isAnswering || now < state.standingAt || covers(state.lease, need)) return null
    return { for: 'standing', want, least: want }
  }
  const mayGoBack = !isAnswering && now >= state.standingAt && now >= later(state.since, SETTLED_AFTER)
  if (mayGoBack && isPlenty(state)) return { for: 'standing', want, least: want }
  // What a smaller answer than feared has left over is somebody else's.
  return covers(bound, state.mayHold) ? null : { for: 'rest', want: bound, least: bound }
}

/** What comes in is not read any more until it can be paid for. */
function holdIfDry(state: GateState, policy: GatePolicy): [GateState, GateEffect[]] {
  if (state.isInputHeld || !isDry(state, policy)) return [state, []]
  return [{ ...state, isInputHeld: true }, [{ type: 'hold_input' }]]
}

const isFor = (asking: Asking, { key }: Waiting) => typeof asking.for === 'object' && asking.for.response === key

// ---- amounts ----

/** What is spoken for: everything under way, and what was let through and has not been seen to start. */
function committed(state: GateState): Holding {
  return plus(sum([...state.open.values()].map((o) => o.cost)), sum(state.admitted.map((a) => a.held)))
}

/** There is nothing to pay for more input with. */
function isDry(state: GateState, policy: GatePolicy): boolean {
  return policy.transcribesOnly && !covers(state.lease, plus(committed(state), state.next))
}

function isPlenty({ room, next, lease }: GateState): boolean {
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
