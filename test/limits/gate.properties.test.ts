import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LONGEST_HOLD, MOST_WAITING, RETRY } from '../../src/limits/gate.ts'
import type { GateEffect, GatePolicy } from '../../src/limits/gate-state.ts'
import { covers } from '../../src/limits/holding.ts'
import { ms } from '../../src/units.ts'
import { type Deed, GateWorld, STORE_TIMEOUT, type WorldRules } from '../support/gate-world.ts'

const amount = fc.integer({ min: 1, max: 400 })
const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      most: amount,
      least: fc.integer({ min: 1, max: 100 }),
      apart: fc.boolean(),
      fate: fc.constantFrom('starts', 'starts', 'starts', 'refused', 'lost', 'late'),
      share: fc.constantFrom(0, 0.3, 1),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Deed>({ do: 'withdraw' }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('need' as const), next: amount }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('own' as const), cost: amount }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('speak' as const), cost: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turn' as const), share: fc.constantFrom(0.2, 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('others' as const), held: fc.integer({ min: 0, max: 1_500 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('store' as const),
      isAway: fc.boolean(),
      isHeard: fc.boolean(),
      latency: fc.integer({ min: 1, max: 200 }),
    }),
  },
)
const script = fc.array(fc.tuple(fc.constantFrom(0, 1, 100, 700, 4_000, 12_000), deed), { maxLength: 40 })
const rules: fc.Arbitrary<WorldRules> = fc.record({
  policy: fc.record<GatePolicy>({
    maxDelay: fc.constantFrom(ms(0), ms(700), ms(10_000)),
    refusalsBeforeClose: fc.constantFrom(1, 3, 1_000),
    grace: fc.constant(ms(15_000)),
    transcribesOnly: fc.constant(false),
  }),
  cap: fc.constantFrom(1_000, 5_000, 1_000_000),
  rate: fc.constantFrom(300, 1_500, 1_000_000),
  latency: fc.constantFrom(1, 150),
  isWritten: fc.boolean(),
})

const check = (property: (world: GateWorld) => void) =>
  fc.assert(
    fc.property(rules, script, (given, steps) => property(new GateWorld(given).run(steps))),
    { numRuns: 1_500 },
  )
const has = <T extends GateEffect['type']>(effects: readonly GateEffect[], type: T) =>
  effects.filter((effect) => effect.type === type) as Extract<GateEffect, { type: T }>[]

describe('the gate, whatever happens around it', () => {
  test('L5 money spent never passes the cap, what is written down included, and nothing is heard without cover', () => {
    check((world) => {
      expect(world.spent).toBeLessThanOrEqual(world.rules.cap)
    })
  })

  test('L5 what is let through never exceeds what the store has granted, and no response gets less than it needs', () => {
    fc.assert(
      fc.property(rules, script, (given, steps) => {
        const world = new GateWorld(given).watching((w, effect) => {
          if (effect.type !== 'start') return
          const ask = w.asks.get(effect.key)
          expect(effect.held.money).toBeLessThanOrEqual(ask?.most ?? 0)
          expect(effect.held.tokens).toBeGreaterThanOrEqual(ask?.least ?? 0)
          const bound = w.bound
          expect(bound.money).toBeLessThanOrEqual(w.lease.money)
          expect(bound.tokens).toBeLessThanOrEqual(w.lease.tokens)
        })
        world.run(steps)
      }),
      { numRuns: 1_500 },
    )
  })

  test('L3 every response that was asked for starts, is refused or withdrawn, in time, or the session ends', () => {
    check((world) => {
      const { policy } = world.rules
      const isOver = world.state.mode === 'over'
      const asks = [...world.asks.values()]
      // Each in the queue may need an answer of the store for itself; a store that is away is waited for.
      const slow = asks.length * (STORE_TIMEOUT + 1) + RETRY
      for (const ask of asks) {
        if (ask.out === null) {
          expect(isOver).toBe(true)
          continue
        }
        const away = world.awayBetween(ask.at, ask.outAt) ? policy.grace + STORE_TIMEOUT + RETRY : 0
        expect(ask.outAt - ask.at).toBeLessThanOrEqual(policy.maxDelay + slow + away)
      }
    })
  })

  test('L4 there is at most one reservation under way', () => {
    check((world) => {
      let asking = 0
      for (const { event, effects } of world.seen) {
        if (['granted', 'refused', 'store_away'].includes(event.type)) asking--
        asking += has(effects, 'reserve').length
        expect(asking).toBeLessThanOrEqual(1)
      }
    })
  })

  test('L3 the ladder is climbed in its order: no refusal where waiting can help, no end before a refusal', () => {
    check((world) => {
      const { policy } = world.rules
      let refusals = 0
      for (const { at, event, before, effects } of world.seen) {
        refusals = has(effects, 'start').length > 0 ? 0 : refusals
        for (const { key } of has(effects, 'refuse')) {
          refusals++
          if (event.type === 'asked') {
            expect(before.waiting.length).toBe(MOST_WAITING)
            continue
          }
          if (event.type !== 'refused') throw new Error(`refused after ${event.type}`)
          expect(before.asking?.for).toEqual({ response: key })
          const { refusal, level } = event
          const ask = world.asks.get(key)
          const patience = (ask?.at ?? 0) + policy.maxDelay - at
          const isSpent =
            refusal.limit === 'day' &&
            (level?.cap ?? 0) - (level?.spent ?? 0) < (before.waiting[0]?.least.money ?? 0) + before.need.writing.money
          const isTooLong = refusal.limit === 'tokens' && refusal.wait !== null && refusal.wait > patience
          expect(patience <= 0 || isSpent || isTooLong, `${patience} ms left`).toBe(true)
        }
        for (const { reason } of has(effects, 'end')) {
          if (reason === 'store_unavailable') {
            expect(at - (before.stuckSince ?? at)).toBeGreaterThanOrEqual(policy.grace)
          } else if (has(effects, 'refuse').length === 0) {
            // What was to be said could not be paid for.
            expect(before.asking?.for).toBe('input')
            const level = event.type === 'refused' ? event.level : null
            const isSpent = (level?.cap ?? 0) - (level?.spent ?? 0) < before.need.writing.money
            expect(isSpent || at - (before.inputHeld?.since ?? at) >= LONGEST_HOLD).toBe(true)
          } else {
            if (reason === 'rate_limited') expect(refusals).toBeGreaterThanOrEqual(policy.refusalsBeforeClose)
          }
        }
        for (const { wait } of has(effects, 'delay')) expect(wait).toBeGreaterThan(0)
      }
    })
  })

  test('L3 taking over and giving back take turns', () => {
    check((world) => {
      const turns = world.seen.flatMap(({ effects }) =>
        effects.map((e) => e.type).filter((t) => t === 'take_over' || t === 'give_back'),
      )
      for (const [i, turn] of turns.entries()) expect(turn).toBe(i % 2 === 0 ? 'take_over' : 'give_back')
    })
  })

  test('L3 nothing comes after the end', () => {
    check((world) => {
      const end = world.seen.findIndex(({ effects }) => has(effects, 'end').length > 0)
      if (end < 0) return
      expect(world.seen[end]?.effects.at(-1)?.type).toBe('end')
      for (const { effects } of world.seen.slice(end + 1)) expect(effects).toEqual([])
    })
  })

  test('L3 where the broker has taken over, nothing survives that the provider starts by itself', () => {
    check((world) => {
      for (const { event, before, effects } of world.seen) {
        if (event.type !== 'opened' || before.mode !== 'controlled') continue
        const isAskedFor = before.admitted.some((a) => a.kind === event.kind)
        const isCancelled = has(effects, 'cancel').some(({ id }) => id === event.id)
        if (!isAskedFor) expect(isCancelled).toBe(true)
        else expect(isCancelled).toBe(false)
      }
    })
  })

  test('L4 what is not needed near a limit goes back to the others', () => {
    check((world) => {
      if (world.state.mode !== 'controlled') return
      expect(world.running.size + world.admitted.length).toBe(0)
      const { money, tokens } = world.state.need.writing
      expect(world.lease.money).toBeLessThanOrEqual(Math.ceil(money * 1.1))
      expect(world.lease.tokens).toBeLessThanOrEqual(Math.ceil(tokens * 1.1))
    })
  })
})

describe('the gate of a session that only transcribes', () => {
  test('L3 input is held while it cannot be paid for, and taken up again when it can', () => {
    fc.assert(
      fc.property(rules, script, (given, steps) => {
        const policy = { ...given.policy, transcribesOnly: true }
        const inputs = steps.filter(([, { do: what }]) => ['speak', 'turn', 'others', 'store'].includes(what))
        const world = new GateWorld({ ...given, policy, isWritten: true }).run(inputs)
        const turns = world.seen.flatMap(({ effects }) =>
          effects.map((e) => e.type).filter((t) => t === 'hold_input' || t === 'take_input'),
        )
        for (const [i, turn] of turns.entries()) expect(turn).toBe(i % 2 === 0 ? 'hold_input' : 'take_input')
        if (world.state.mode === 'over') return
        // At rest, what may come in is paid for, or does not come in.
        const { lease, need, inputHeld } = world.state
        expect(inputHeld !== null || covers(lease, need.sent)).toBe(true)
      }),
      { numRuns: 1_500 },
    )
  })
})
