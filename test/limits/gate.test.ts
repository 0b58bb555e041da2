import { describe, expect, test } from 'vitest'
import { gate, gateDeadline } from '../../src/limits/gate.ts'
import { type GateEvent, type GatePolicy, type GateState, type Need, openGate } from '../../src/limits/gate-state.ts'
import { NOTHING_HELD, plus } from '../../src/limits/holding.ts'
import type { BudgetLevel, Holding, Refusal, Room } from '../../src/limits/limits.ts'
import { type Instant, instant, ms, type NanoUsd, type Tokens } from '../../src/units.ts'

const hold = (money: number, tokens = money): Holding => ({ money: money as NanoUsd, tokens: tokens as Tokens })
/** A response of `next`, and what its speech costs to write down: in all, and what was sent of it. */
const need = (next: Holding, writing = NOTHING_HELD, sent = writing): Need => ({
  next: plus(next, writing),
  writing,
  sent,
})
const needs = (...parts: Parameters<typeof need>): GateEvent => ({ type: 'need_changed', need: need(...parts) })
const lots: Room = { money: null, tokens: null }
const policy: GatePolicy = { maxDelay: ms(10_000), refusalsBeforeClose: 3, grace: ms(15_000), transcribesOnly: false }
const at = (n: number): Instant => instant(n)
const tooFast = (wait: number | null): Refusal => ({
  account: 'user',
  limit: 'tokens',
  wait: wait === null ? null : ms(wait),
})
const tooDear: Refusal = { account: 'tenant', limit: 'day', wait: ms(3_600_000) }
const level = (spent: number, cap: number): BudgetLevel => ({
  account: 'tenant',
  limit: 'day',
  spent: spent as NanoUsd,
  cap: cap as NanoUsd,
})

/** A gate and everything it wanted done, event by event. */
class Rig {
  state: GateState = openGate(at(0))
  now = 0
  readonly policy: GatePolicy
  constructor(changes: Partial<GatePolicy> = {}) {
    this.policy = { ...policy, ...changes }
  }
  do(event: GateEvent, after = 0): string[] {
    this.now += after
    const { state, effects } = gate(this.state, event, this.policy, at(this.now))
    this.state = state
    return effects.map((e) => ('key' in e ? `${e.type} ${e.key}` : 'reason' in e ? `${e.type} ${e.reason}` : e.type))
  }
  granted(held: Holding, room = lots) {
    return this.do({ type: 'granted', held, room })
  }
  refused(
    refusal: Refusal,
    nearest: BudgetLevel | null = null,
    room: Room = { money: hold(0).money, tokens: hold(0).tokens },
  ) {
    return this.do({ type: 'refused', refusal, room, level: nearest })
  }
  asks(key: string, most = hold(100), least = hold(20)) {
    return this.do({ type: 'asked', response: { key, kind: 'response', most, least } })
  }
  /** A session with a standing lease for a response of 100. */
  static atEase(): Rig {
    const rig = new Rig()
    rig.do(needs(hold(100)))
    rig.granted(hold(110))
    return rig
  }
  /** A session that could not get one. */
  static tight(changes: Partial<GatePolicy> = {}): Rig {
    const rig = new Rig(changes)
    rig.do(needs(hold(100)))
    rig.refused(tooFast(1_000))
    return rig
  }
}

describe('the gate with plenty', () => {
  test('L4 a standing lease is asked for before anything is said', () => {
    const rig = new Rig()
    const { effects } = gate(rig.state, needs(hold(100)), policy, at(0))
    expect(effects).toEqual([{ type: 'reserve', want: hold(110), least: hold(110), standing: true }])
    expect(rig.do(needs(hold(100)))).toEqual(['reserve'])
    expect(rig.do(needs(hold(101)))).toEqual([])
  })

  test('L3 what the lease covers starts at once, without asking anybody', () => {
    const rig = Rig.atEase()
    expect(rig.asks('a')).toEqual(['start a'])
    expect(rig.do({ type: 'opened', id: 'r1', cost: hold(100), kind: 'response' })).not.toContain('cancel')
  })

  test('L3 responses that the provider starts by itself are covered too, and the lease is renewed after each', () => {
    const rig = Rig.atEase()
    expect(rig.do({ type: 'opened', id: 'r1', cost: hold(100), kind: 'response' })).toEqual([])
    expect(rig.do({ type: 'closed', id: 'r1', spent: hold(5) })).toEqual([])
    expect(rig.do({ type: 'opened', id: 'r2', cost: hold(100), kind: 'response' })).toEqual([])
    expect(rig.do({ type: 'closed', id: 'r2', spent: hold(30) })).toEqual(['reserve'])
    expect(rig.state.lease).toEqual(hold(75))
  })

  test('L5 what was spent while a reservation was on its way is not counted as held', () => {
    const rig = Rig.atEase()
    rig.do({ type: 'opened', id: 'r1', cost: hold(100), kind: 'response' })
    expect(rig.asks('b')).toEqual(['reserve'])
    rig.do({ type: 'closed', id: 'r1', spent: hold(90) })
    rig.granted(hold(200))
    expect(rig.state.lease).toEqual(hold(110))
  })

  test('L3 a second response beside the first needs cover of its own', () => {
    const rig = Rig.atEase()
    rig.asks('a')
    expect(rig.asks('b')).toEqual(['reserve'])
    expect(rig.granted(hold(200))).toEqual(['start b'])
  })
})

describe('the ladder', () => {
  test('L3 near the limit the broker takes over, without a word to anybody', () => {
    const rig = new Rig()
    rig.do(needs(hold(100)))
    expect(rig.refused(tooFast(1_000))).toEqual(['take_over'])
  })

  test('L3 first rung: the answer gets smaller', () => {
    const rig = Rig.tight()
    expect(rig.asks('a')).toEqual(['reserve'])
    const { effects } = gate(rig.state, { type: 'granted', held: hold(40), room: lots }, policy, at(0))
    expect(effects).toEqual([{ type: 'start', key: 'a', held: hold(40) }])
  })

  test('L3 second rung: the answer comes later, when there is room again', () => {
    const rig = Rig.tight()
    rig.asks('a')
    expect(rig.refused(tooFast(4_000))).toEqual(['delay a'])
    expect(gateDeadline(rig.state)).toBe(at(4_000))
    expect(rig.do({ type: 'tick' }, 3_999)).toEqual([])
    expect(rig.do({ type: 'tick' }, 1)).toEqual(['reserve'])
    expect(rig.granted(hold(100))).toEqual(['start a'])
  })

  test('L3 third rung: what would come too late is refused', () => {
    const rig = Rig.tight()
    rig.asks('a')
    expect(rig.refused(tooFast(10_001))).toEqual(['refuse a'])
  })

  test('L3 a delay that never ends is a refusal at the end of patience', () => {
    const rig = Rig.tight()
    rig.asks('a')
    rig.refused(tooFast(9_000))
    rig.do({ type: 'tick' }, 10_000)
    expect(rig.refused(tooFast(1_000))).toEqual(['refuse a'])
  })

  test('L3 last rung: a session that does not listen is closed; one that was served starts afresh', () => {
    const rig = Rig.tight()
    for (const key of ['a', 'b']) {
      rig.asks(key)
      expect(rig.refused(tooFast(60_000))).toEqual([`refuse ${key}`])
    }
    rig.asks('c')
    rig.granted(hold(100))
    rig.do({ type: 'opened', id: 'r', cost: hold(100), kind: 'response' })
    rig.do({ type: 'closed', id: 'r', spent: hold(100) })
    for (const key of ['d', 'e']) {
      rig.asks(key)
      rig.refused(tooFast(60_000))
    }
    rig.asks('f')
    expect(rig.refused(tooFast(60_000))).toEqual(['refuse f', 'end rate_limited'])
  })

  test('L3 a response that the provider started although the broker had taken over is cancelled', () => {
    const rig = Rig.tight()
    expect(rig.do({ type: 'opened', id: 'r1', cost: hold(100), kind: 'response' })).toEqual(['cancel'])
  })

  test('L3 with plenty again the provider starts responses by itself again', () => {
    const rig = Rig.tight()
    rig.asks('a')
    rig.granted(hold(100), { money: hold(100).money, tokens: hold(100).tokens })
    rig.do({ type: 'opened', id: 'r', cost: hold(100), kind: 'response' })
    // Too little to be at ease: what was not needed goes back instead.
    expect(rig.do({ type: 'closed', id: 'r', spent: hold(60) }, 6_000)).toEqual(['reserve'])
    rig.granted(hold(0), { money: hold(10_000).money, tokens: hold(10_000).tokens })
    expect(rig.state.asking).toMatchObject({ for: 'standing' })
    expect(rig.granted(hold(110))).toEqual(['give_back'])
    expect(rig.state.mode).toBe('free')
  })

  test('L3 whoever does not want its response any more is forgotten', () => {
    const rig = Rig.tight()
    rig.asks('a')
    rig.refused(tooFast(4_000))
    rig.do({ type: 'withdrawn', key: 'a' })
    expect(gateDeadline(rig.state) ?? 0).not.toBe(at(10_000))
    expect(rig.do({ type: 'tick' }, 4_000)).not.toContain('start a')
  })
})

describe('money', () => {
  test('L5 spent money ends the session, with the refusal told first', () => {
    const rig = Rig.tight()
    rig.asks('a')
    expect(rig.refused(tooDear, level(990, 1_000))).toEqual(['refuse a', 'end budget_spent'])
  })

  test('L5 money that others only hold is waited for', () => {
    const rig = Rig.tight()
    rig.asks('a')
    expect(rig.refused(tooDear, level(500, 1_000))).toEqual(['delay a'])
    rig.do({ type: 'tick' }, 500)
    expect(rig.granted(hold(100))).toEqual(['start a'])
  })

  test('L7 without the store a session lives on its lease, then ends after the grace', () => {
    const rig = Rig.atEase()
    rig.asks('a')
    expect(rig.do({ type: 'store_away' })).toEqual([])
    rig.do({ type: 'opened', id: 'r', cost: hold(100), kind: 'response' })
    rig.do({ type: 'closed', id: 'r', spent: hold(100) })
    rig.asks('b')
    for (let waited = 0; waited < 14_500; waited += 500) {
      expect(rig.do({ type: 'tick' }, 500)).not.toContain('start b')
      rig.do({ type: 'store_away' })
    }
    expect(rig.do({ type: 'tick' }, 1_000)).toContain('end store_unavailable')
  })
})

describe('what is written down', () => {
  const written = (id: string, cost: Holding, then: Need): GateEvent => ({ type: 'turn_taken', id, cost, need: then })
  /** Near the limit, with cover for writing down what is said: 20, of which 8 may be at the provider. */
  const tightAndHeard = (changes: Partial<GatePolicy> = {}) => {
    const rig = new Rig(changes)
    rig.do(needs(hold(100), hold(20), hold(8)))
    rig.refused(tooFast(1_000))
    rig.granted(hold(22))
    return rig
  }

  test('L5 where the broker has taken over, what is said is paid for before the provider can hear it', () => {
    const rig = new Rig()
    expect(rig.do(needs(hold(100), hold(20), hold(8)))).toEqual(['hold_input', 'reserve'])
    const { effects } = gate(rig.state, { type: 'refused', refusal: tooDear, room: lots, level: null }, policy, at(0))
    expect(effects).toEqual([
      { type: 'take_over' },
      { type: 'reserve', want: hold(22), least: hold(20), standing: false },
    ])
    rig.refused(tooDear)
    expect(rig.granted(hold(20))).toEqual(['take_input'])
  })

  test('L5 more speech than is paid for waits, and goes on when there is room again', () => {
    const rig = tightAndHeard()
    expect(rig.do(needs(hold(100), hold(40), hold(22)))).toEqual(['reserve'])
    expect(rig.do(needs(hold(100), hold(41), hold(23)))).toEqual(['hold_input'])
    expect(rig.refused(tooDear, level(100, 1_000))).toEqual(['delay_input'])
    expect(rig.do({ type: 'tick' }, 500)).toEqual(['reserve'])
    expect(rig.refused(tooDear, level(100, 1_000))).toEqual([])
    expect(rig.do({ type: 'tick' }, 500)).toEqual(['reserve'])
    expect(rig.granted(hold(41))).toEqual(['take_input'])
  })

  test('L3 what was refused in advance is asked for again once it is missing', () => {
    const rig = tightAndHeard()
    rig.do(needs(hold(100), hold(40), hold(22)))
    expect(rig.refused(tooFast(9_000))).toEqual([])
    expect(rig.do(needs(hold(100), hold(41), hold(23)))).toEqual(['hold_input', 'reserve'])
    expect(rig.refused(tooFast(9_000))).toEqual(['delay_input'])
    expect(gateDeadline(rig.state)).toBe(at(9_000))
  })

  test('L5 a turn that is being written down keeps its cover, and its rest goes back', () => {
    const rig = tightAndHeard()
    expect(rig.do(written('t', hold(15), need(hold(100), hold(20), hold(5))))).toEqual(['reserve'])
    // What is held covers the turn and what may have been sent since: nothing waits for the answer.
    expect(rig.state.inputHeld).toBe(null)
    rig.granted(hold(37))
    expect(rig.do({ type: 'closed', id: 't', spent: hold(4) })).toEqual(['reserve'])
    expect(rig.state.asking).toMatchObject({ for: 'rest', want: hold(22) })
  })

  test('L5 a response gets only what the writing down leaves', () => {
    const rig = tightAndHeard()
    rig.asks('a')
    expect(rig.state.asking).toMatchObject({ want: hold(122), least: hold(40) })
    const { effects } = gate(rig.state, { type: 'granted', held: hold(60), room: lots }, policy, at(0))
    expect(effects).toEqual([{ type: 'start', key: 'a', held: hold(40) }])
  })

  test('L5 a turn taken while an answer is made is covered before more is said', () => {
    const rig = new Rig()
    rig.do(needs(hold(100), hold(20), hold(8)))
    rig.granted(hold(132))
    rig.do({ type: 'opened', id: 'r', cost: hold(110), kind: 'response' })
    expect(rig.do(written('t', hold(18), need(hold(100), hold(20), hold(5))))).toEqual(['hold_input', 'reserve'])
    expect(rig.state.asking).toMatchObject({ for: 'input', want: hold(150), least: hold(148) })
  })

  test('L5 money that is used up ends the session, but lets an answer finish', () => {
    const rig = tightAndHeard()
    rig.asks('a')
    rig.granted(hold(120))
    rig.do({ type: 'opened', id: 'r', cost: hold(100), kind: 'response' })
    rig.do(written('t', hold(18), need(hold(100), hold(20), hold(5))))
    expect(rig.refused(tooDear, level(985, 1_000))).toEqual(['delay_input'])
    rig.do({ type: 'closed', id: 'r', spent: hold(100) })
    rig.do({ type: 'tick' }, 500)
    expect(rig.refused(tooDear, level(985, 1_000))).toEqual(['end budget_spent'])
  })

  test('L3 input that no limit ever lets through ends the session', () => {
    const rig = tightAndHeard()
    rig.do(needs(hold(100), hold(41), hold(23)))
    for (let waited = 0; waited < 90_000; waited += 500) {
      expect(rig.refused(tooFast(null))).not.toContain('end rate_limited')
      rig.do({ type: 'tick' }, 500)
    }
    expect(rig.refused(tooFast(null))).toEqual(['end rate_limited'])
  })

  test('L5 a turn that nobody ever says was written down holds nothing any more after a minute', () => {
    const rig = tightAndHeard()
    rig.do(written('t', hold(15), need(hold(100), hold(20), hold(5))))
    rig.granted(hold(37))
    expect(gateDeadline(rig.state)).toBe(at(60_000))
    rig.do({ type: 'tick' }, 59_999)
    expect(rig.state.open.size).toBe(1)
    rig.do({ type: 'tick' }, 1)
    expect(rig.state.open.size).toBe(0)
  })
})

describe('a start that is refused', () => {
  test('L4 what it held is free at once, whichever of several it was', () => {
    const rig = Rig.tight()
    rig.asks('a', hold(50))
    rig.granted(hold(50))
    rig.asks('b', hold(70))
    rig.granted(hold(120))
    expect(rig.do({ type: 'not_started', key: 'b' })).toEqual(['reserve'])
    expect(rig.state.admitted).toMatchObject([{ key: 'a', held: hold(50) }])
    expect(rig.state.asking).toMatchObject({ for: 'rest', want: hold(50) })
    rig.do({ type: 'not_started', key: null })
    expect(rig.state.admitted).toEqual([])
  })
})

describe('a session that only transcribes', () => {
  test('L3 input that cannot be paid for waits in its own socket; spent money ends the session', () => {
    const rig = new Rig({ transcribesOnly: true })
    const speech = (cost: Holding) => needs(NOTHING_HELD, cost)
    expect(rig.do(speech(hold(10)))).toEqual(['hold_input', 'reserve'])
    expect(rig.refused(tooFast(2_000))).toEqual(['delay_input'])
    expect(rig.do({ type: 'tick' }, 2_000)).toEqual(['reserve'])
    expect(rig.granted(hold(11))).toEqual(['take_input'])
    const after = need(NOTHING_HELD, hold(10))
    expect(rig.do({ type: 'turn_taken', id: 'item', cost: hold(10), need: after })).toEqual(['hold_input', 'reserve'])
    expect(rig.do({ type: 'closed', id: 'item', spent: hold(9) })).toEqual([])
    expect(rig.refused(tooDear, level(995, 1_000))).toEqual(['end budget_spent'])
  })
})
