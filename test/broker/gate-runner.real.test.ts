import { expect, test } from 'vitest'
import { GateRunner } from '../../src/broker/money/gate-runner.ts'
import { seconds } from '../../src/units.ts'
import { account, hold, record, SimulatedLimits } from '../support/limits.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { TestStore } from '../support/store.ts'

const POLICY = { maxDelay: seconds(10), refusalsBeforeClose: 3, grace: seconds(15), transcribesOnly: false }
const accounts = [account('session', 's', { budget: 1_000 })]

test('L5 what is spent and not yet settled is not given out again: a reservation waits for it', async () => {
  await using redis = await TestStore.open()
  const limits = new SimulatedLimits(redis.store.redis)
  const clock = new ManualClock()
  const settled = Promise.withResolvers<void>()
  const seen: string[] = []
  const told = { next: Promise.withResolvers<void>() }
  let isOwed = true
  using gate = new GateRunner(
    's',
    accounts,
    POLICY,
    { store: limits.store, clock, settled: () => (isOwed ? settled.promise : Promise.resolve()) },
    {
      perform: (effect) => {
        seen.push(effect.type)
        told.next.resolve()
      },
      levelIs: () => undefined,
    },
  )
  // 700 of the budget's 1,000 are spent, and Redis does not know it yet.
  gate.dispatch({ type: 'asked', response: { key: 'a', kind: 'response', most: hold(600, 0), least: hold(600, 0) } })
  clock.pass(300)
  while (gate.state.stuckSince === null) await new Promise(setImmediate)
  expect(await limits.store.state(accounts)).toMatchObject([{ money: [{ spent: 0, held: 0 }] }])

  await limits.store.settle({ record: record('s', 'before', 700, 0), accounts, keep: null })
  isOwed = false
  settled.resolve()
  clock.pass(500)
  await told.next.promise
  expect(seen).toEqual(['refuse', 'end'])
})
