import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectForQueue } from '../../src/store/redis.ts'
import type { Store } from '../../src/store/store.ts'
import { play, type Scenario, scenario } from '../support/limit-traffic.ts'
import { openStore, quiet } from '../support/limits.ts'
import { TempFolder } from '../support/temp-folder.ts'

const RUNS = 5_000
/** Runs that share the connection at any time, so that Redis never waits for the test. */
const AT_ONCE = 64

const folder = new TempFolder()
let store: Store
let redis: Store['redis']
beforeAll(async () => {
  store = await openStore(folder.path)
  redis = connectForQueue(store.place, quiet)
})
afterAll(async () => {
  redis.disconnect()
  await store[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

test('L2 L3 L4 L5 M3 5,000 random plans, traffics and crashes: never over, never refused with room left, never a leak, booked once', async () => {
  const seed = Date.now()
  const scenarios = fc.sample(scenario, { numRuns: RUNS, seed })
  let played = 0
  const player = async () => {
    for (let next = scenarios.pop(); next !== undefined; next = scenarios.pop()) {
      const plot = next
      await play(redis, plot).catch(async (error: unknown) => {
        scenarios.length = 0
        const least = await shortest(plot)
        throw new Error(`seed ${seed}: ${JSON.stringify(least, null, 1)}`, { cause: error })
      })
      played++
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, player))
  expect(played).toBe(RUNS)
}, 120_000)

/** The same scenario without the steps that its failure does not need. */
async function shortest(plot: Scenario): Promise<Scenario> {
  let { steps } = plot
  for (let i = steps.length - 1; i >= 0; i--) {
    const fewer = steps.toSpliced(i, 1)
    const fails = await play(redis, { ...plot, steps: fewer }).then(
      () => false,
      () => true,
    )
    if (fails) steps = fewer
  }
  return { ...plot, steps }
}
