import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { MediaWorld, payer } from '../support/media-calls.ts'

const never = new AbortController().signal
const CALLS = 80
/** Every third call or so meets one of these; drawn by a fixed generator, so that a failure can be seen again. */
const FAULTS = [
  { drop: 1 },
  { drop: 2 },
  { malformed: 1 },
  { missingUsage: 1 },
  { refuse: 503 },
  { rateLimited: 0 },
  { refuse: 504 },
]

let world: MediaWorld
beforeAll(async () => {
  world = await MediaWorld.open()
})
afterAll(() => world[Symbol.asyncDispose]())

function* dice(seed: number): Generator<number, never, void> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield state / 2 ** 32
  }
}

const sum = (records: readonly LedgerRecord[]) => records.reduce((total, { cost }) => total + cost, 0)

test.each([1, 2, 3])(
  'M3 L5 whatever fails: a record for every purchase, none twice, nothing held, no cap passed (%i)',
  async (seed) => {
    await world.reset({
      plans: { default: { limits: { tenant: { perDay: '$0.04' } } } },
      media: { calls: { breaker: { failures: 100 }, perProvider: 6 } },
    })
    const random = dice(seed)
    const next = () => random.next().value
    for (let i = 0; i < 3 * CALLS; i++) {
      world.service.next.push(next() < 0.35 ? (FAULTS[Math.floor(next() * FAULTS.length)] ?? {}) : {})
    }
    const workers = [await world.worker(), await world.worker()]
    const calls = Array.from({ length: CALLS }, (_, i) =>
      workers[i % 2]?.calls
        .transcribe(payer(`job_${i % 8}`), `s${i}`, world.recording(`f${seed}-${i}`), never)
        .catch(() => null),
    )
    await Promise.all(calls)
    for (const worker of workers) await worker[Symbol.asyncDispose]()
    await world.nothingHeld()

    const journal = await world.journal()
    expect(new Set(journal.map(({ id }) => id)).size).toBe(journal.length)
    // A gateway that gave up may have bought: that one alone is booked without a bill.
    const gaveUp = journal.length - world.service.bills.length
    expect(gaveUp).toBeGreaterThanOrEqual(0)
    expect(gaveUp).toBeLessThanOrEqual(journal.filter(({ basis }) => basis === 'estimate').length)
    expect(sum(journal)).toBe(journal.length * 400_000)
    expect(sum(journal)).toBeLessThanOrEqual(40_000_000)
    const [, tenant] = await world.limits.state(worldAccounts())
    expect(tenant?.money.find(({ limit }) => limit === 'day')).toEqual({ limit: 'day', spent: sum(journal), held: 0 })
  },
)

function worldAccounts() {
  const none = {
    sessions: null,
    startsPerMinute: null,
    tokensPerMinute: null,
    budget: null,
    perDay: null,
    perMonth: null,
  }
  return (['installation', 'tenant'] as const).map((kind) => ({
    kind,
    id: kind === 'tenant' ? 'acme' : 'all',
    limits: none,
  }))
}
