import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FaultError } from '../../src/faults.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { ms, nanoUsd } from '../../src/units.ts'
import { MediaWorld, payer } from '../support/media-calls.ts'

const never = new AbortController().signal
/** whisper-1: $0.006 a minute. */
const FOUR_SECONDS = 400_000

let world: MediaWorld
beforeAll(async () => {
  world = await MediaWorld.open()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => world.reset())

const faultOf = (promise: Promise<unknown>): Promise<FaultError> =>
  promise.then(
    () => {
      throw new Error('it was to fail')
    },
    (error: unknown) => {
      if (error instanceof FaultError) return error
      throw error
    },
  )

/** The same store, of which one method fails. */
function away(method: keyof LimitStore): LimitStore {
  return new Proxy(world.limits, {
    get: (target, name) => {
      if (name === method) return () => Promise.reject(new FaultError('store_unavailable', 'away'))
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const idsAndBases = async () => (await world.journal()).map(({ id, basis }) => [id, basis])

describe('a paid call', () => {
  test('M3 L5 is reserved, bought, booked once under its step, and gives back what it held', async () => {
    await using worker = await world.worker()
    const paid = await worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    expect(paid).toMatchObject({
      cost: FOUR_SECONDS,
      worth: FOUR_SECONDS,
      calls: 1,
      fromCache: false,
      estimated: false,
    })
    await world.nothingHeld()
    const [record, ...more] = await world.booked(1)
    expect(more).toEqual([])
    expect(record).toMatchObject({
      ...{ id: 'job_a:s0', kind: 'stage', basis: 'usage', session: 'job_a', tenant: 'acme', user: 'ann' },
      ...{ model: 'whisper-1', provider: 'play', cost: FOUR_SECONDS, status: 'completed' },
    })
    expect(record?.providerId).toMatch(/^req_/)
    expect(world.service.bills).toHaveLength(1)
  })

  test('L5 what it may cost at most must fit, before anything is asked', async () => {
    await using worker = await world.worker()
    const poor = payer('job_a', { maxCost: nanoUsd(FOUR_SECONDS - 1) })
    const fault = await faultOf(worker.calls.transcribe(poor, 's0', world.recording('a'), never))
    expect(fault.code).toBe('max_cost_reached')
    expect(world.service.requests).toBe(0)
    const rich = payer('job_a', { maxCost: nanoUsd(FOUR_SECONDS) })
    expect((await worker.calls.transcribe(rich, 's0', world.recording('a'), never)).cost).toBe(FOUR_SECONDS)
    await world.nothingHeld()
    expect(await idsAndBases()).toEqual([['job_a:s0', 'usage']])
  })

  test('L5 pieces of one job side by side, in several processes, never pass what the job may cost', async () => {
    await using one = await world.worker()
    await using two = await world.worker()
    const cap = payer('job_a', { maxCost: nanoUsd(3 * FOUR_SECONDS) })
    const calls = Array.from({ length: 10 }, (_, i) =>
      (i % 2 === 0 ? one : two).calls
        .transcribe(cap, `s${i}`, world.recording(`piece-${i}`), never)
        .then((paid) => paid.cost)
        .catch((error: FaultError) => error.code),
    )
    const ends = await Promise.all(calls)
    const bought = ends.filter((end) => end === FOUR_SECONDS)
    expect(bought.length).toBeGreaterThan(0)
    expect(bought.length).toBeLessThanOrEqual(3)
    expect(ends.filter((end) => end === 'max_cost_reached')).toHaveLength(10 - bought.length)
    expect(world.service.bills).toHaveLength(bought.length)
  })

  test("L5 a tenant's day bounds its jobs as it bounds its sessions", async () => {
    await world.reset({ plans: { default: { limits: { tenant: { perDay: '$0.001' } } } } })
    await using worker = await world.worker()
    const buy = (n: number) => worker.calls.transcribe(payer(`job_${n}`), 's0', world.recording(`day-${n}`), never)
    await buy(1)
    await buy(2)
    await world.nothingHeld()
    const fault = await faultOf(buy(3))
    expect(fault.code).toBe('budget_spent')
    expect(world.levels.at(-1)).toMatchObject({ tenant: 'acme', level: { account: 'tenant', limit: 'day' } })
    expect(fault.retryAfterMs).toBeGreaterThan(0)
  })

  test('M2 models that are not served, or are of another kind, are not there', async () => {
    await using worker = await world.worker()
    for (const model of ['gpt-none', 'gpt-4o']) {
      const call = { ...world.recording('a'), model }
      expect((await faultOf(worker.calls.transcribe(payer('j'), 's', call, never))).code).toBe('model_not_found')
    }
    expect(world.service.requests).toBe(0)
  })

  test('M1 usage that the provider does not tell is estimated, and said to be', async () => {
    await using worker = await world.worker()
    world.service.next.push({ missingUsage: 1 })
    const call = { ...world.recording('a'), model: 'gpt-4o-transcribe', format: 'json' } as const
    const paid = await worker.calls.transcribe(payer('job_a'), 's0', call, never)
    expect(paid.estimated).toBe(true)
    expect(await world.booked(1)).toMatchObject([{ basis: 'estimate', estimated: true, usage: { in: { audio: 40 } } }])
  })
})

describe('calls that fail', () => {
  test('Q5 a refusal for haste is waited out and nothing of it is booked', async () => {
    await using worker = await world.worker()
    world.service.next.push({ rateLimited: 0 }, { refuse: 503 })
    const paid = await worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    expect(paid).toMatchObject({ cost: FOUR_SECONDS, calls: 3, estimated: false })
    await world.nothingHeld()
    expect(await idsAndBases()).toEqual([['job_a:s0', 'usage']])
  })

  test('M3 an answer that was lost may have been bought: both are booked, each under its own number', async () => {
    await using worker = await world.worker()
    world.service.next.push({ drop: 1 })
    const paid = await worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    expect(paid).toMatchObject({ cost: 2 * FOUR_SECONDS, worth: FOUR_SECONDS, estimated: true })
    await world.nothingHeld()
    expect((await world.journal()).map(({ id, basis, cost }) => [id, basis, cost])).toEqual([
      ['job_a:s0', 'estimate', FOUR_SECONDS],
      ['job_a:s0#2', 'usage', FOUR_SECONDS],
    ])
    expect(world.service.bills).toHaveLength(2)
  })

  test('Q5 a provider that loses every answer is not paid for ever', async () => {
    await using worker = await world.worker()
    world.service.next.push(...Array.from({ length: 10 }, () => ({ drop: 1 })))
    const fault = await faultOf(worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never))
    expect(fault.code).toBe('upstream_unavailable')
    expect(world.service.requests).toBe(2)
    await world.nothingHeld()
    expect((await world.journal()).map(({ id }) => id)).toEqual(['job_a:s0', 'job_a:s0#2'])
    // Its retry buys under a number that nothing was booked under.
    world.service.next.length = 0
    await worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    await world.nothingHeld()
    expect((await world.journal()).map(({ id }) => id)).toEqual(['job_a:s0', 'job_a:s0#2', 'job_a:s0#3'])
  })

  test('Q5 a refusal is final: no retry, no other provider', async () => {
    await using worker = await world.worker()
    world.service.next.push({ refuse: 400 })
    const fault = await faultOf(worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never))
    expect(fault.code).toBe('media_refused')
    expect(world.service.requests).toBe(1)
    await world.nothingHeld()
    expect(await world.journal()).toEqual([])
  })

  test("Q5 a model's fallbacks are asked in order", async () => {
    const fallbacks = [{ provider: 'other', model: 'whisper-1' }]
    await world.reset({
      providers: { play: { type: 'loopback' }, other: { type: 'loopback' } },
      models: { 'whisper-1': { provider: 'play', kind: 'transcription', fallbacks } },
      media: { calls: { attempts: 2 } },
    })
    await using worker = await world.worker()
    world.service.next.push({ refuse: 500 }, { refuse: 500 })
    await worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    expect(await world.booked(1)).toMatchObject([{ provider: 'other', id: 'job_a:s0' }])
    expect(world.service.requests).toBe(3)
  })

  test('Q5 a provider that keeps failing is left alone for a while', async () => {
    await world.reset({ media: { calls: { attempts: 1, breaker: { failures: 3, probeEvery: '1h' } } } })
    await using worker = await world.worker()
    const buy = (n: number) => faultOf(worker.calls.transcribe(payer('j'), `s${n}`, world.recording(`b${n}`), never))
    world.service.next.push({ refuse: 500 }, { refuse: 500 }, { refuse: 500 })
    for (let n = 0; n < 5; n++) expect((await buy(n)).code).toBe('upstream_unavailable')
    expect(world.service.requests).toBe(3)
    expect((await buy(9)).retryAfterMs).toBeGreaterThan(3_000_000)
  })

  test('Q5 no more calls at once than a provider may have', async () => {
    await world.reset({ media: { calls: { perProvider: 2 } } })
    await using worker = await world.worker()
    world.service.next.push(...Array.from({ length: 8 }, () => ({ delay: 20 })))
    const calls = Array.from({ length: 8 }, (_, n) =>
      worker.calls.transcribe(payer(`job_${n}`), 's0', world.recording(`c${n}`), never),
    )
    await Promise.all(calls)
    expect(world.service.mostOpen).toBe(2)
  })

  test('M3 a caller that hangs up leaves an estimate, because the provider may go on', async () => {
    await using worker = await world.worker()
    const hangUp = new AbortController()
    world.service.next.push({ silent: 1 })
    const call = worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), hangUp.signal)
    while (world.service.requests === 0) await new Promise(setImmediate)
    hangUp.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    expect(await world.booked(1)).toMatchObject([{ id: 'job_a:s0', basis: 'estimate', cost: FOUR_SECONDS }])
    await world.nothingHeld()
  })
})

describe('processes that die', () => {
  test('M3 a call whose process died is booked as estimated, its retry under the next number', async () => {
    // Killed in the middle of a call: its lease runs out, and so does its claim on the answer.
    const dead = await world.worker()
    world.service.next.push({ silent: 1 })
    const call = dead.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    call.catch(() => undefined)
    while (world.service.requests === 0) await new Promise(setImmediate)
    const { redis } = world.store
    const leases = 'parley:{limits}:leases'
    for (const lease of await redis.zrange(leases, '0', '-1')) await redis.zadd(leases, '0', lease)
    expect(await world.limits.reap(10)).toBe(1)
    for (const key of await world.keysLike('*:buyer')) await redis.del(key)

    await using next = await world.worker()
    const paid = await next.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    expect(paid.cost).toBe(FOUR_SECONDS)
    await world.nothingHeld()
    expect(await idsAndBases()).toEqual([
      ['job_a:s0', 'estimate'],
      ['job_a:s0#2', 'usage'],
    ])
  })

  test('M3 Q3 a step whose answer is kept is not bought again, and its record is booked if it was lost', async () => {
    const dead = await world.worker(away('settle'))
    await dead.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    expect(await world.journal()).toEqual([])
    await using next = await world.worker()
    const paid = await next.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    expect(paid).toMatchObject({ cost: FOUR_SECONDS, fromCache: false, calls: 0 })
    await world.booked(1)
    expect(await idsAndBases()).toEqual([['job_a:s0', 'usage']])
    expect(world.service.requests).toBe(1)
  })

  test('L7 nothing is bought while the store is away', async () => {
    await using worker = await world.worker(away('reserve'))
    const fault = await faultOf(worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never))
    expect(fault.code).toBe('store_unavailable')
    expect(world.service.requests).toBe(0)
  })
})

describe('answers that were bought before', () => {
  test('Q6 M4 the same input with the same options is bought once, and the saving is booked', async () => {
    await using worker = await world.worker()
    const first = await worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    const again = await worker.calls.transcribe(payer('job_b'), 's0', world.recording('a'), never)
    expect(again).toMatchObject({ cost: 0, worth: FOUR_SECONDS, fromCache: true, answer: first.answer })
    expect(world.service.requests).toBe(1)
    expect((await world.booked(2))[1]).toMatchObject({
      ...{ id: 'job_b:s0:kept', kind: 'session', cost: 0 },
      savings: [{ kind: 'answer_kept', paid: 0, otherwise: FOUR_SECONDS, saved: FOUR_SECONDS }],
    })
  })

  test.each([
    ['another language', { language: 'de' }],
    ['another prompt', { prompt: 'Berlin' }],
    ['another format', { format: 'json' as const }],
    ['another model', { model: 'gpt-4o-transcribe', format: 'json' as const }],
  ])('Q6 %s is another question', async (_, change) => {
    await using worker = await world.worker()
    await worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    await worker.calls.transcribe(payer('job_b'), 's0', { ...world.recording('a'), ...change }, never)
    expect(world.service.requests).toBe(2)
  })

  test("Q6 another tenant's answers are not there", async () => {
    await using worker = await world.worker()
    await worker.calls.transcribe(payer('job_a'), 's0', world.recording('a'), never)
    await worker.calls.transcribe(payer('job_b', { tenant: 'zenith' }), 's0', world.recording('a'), never)
    expect(world.service.requests).toBe(2)
  })

  test('Q6 what several processes want at once is bought once', async () => {
    await using one = await world.worker()
    await using two = await world.worker()
    world.service.next.push({ delay: 30 })
    const calls = Array.from({ length: 6 }, (_, n) =>
      (n % 2 === 0 ? one : two).calls.transcribe(payer(`job_${n}`), 's0', world.recording('a'), never),
    )
    const paid = await Promise.all(calls)
    expect(world.service.requests).toBe(1)
    expect(paid.filter(({ fromCache }) => !fromCache)).toHaveLength(1)
    expect(paid.reduce((sum, { cost }) => sum + cost, 0)).toBe(FOUR_SECONDS)
  })

  test('Q6 who waits for an answer that does not come buys it', async () => {
    await using one = await world.worker()
    world.service.next.push({ refuse: 400 })
    const calls = ['job_a', 'job_b'].map((job) =>
      one.calls.transcribe(payer(job), 's0', world.recording('a'), never).then(
        ({ cost }) => cost,
        (error: FaultError) => error.code,
      ),
    )
    expect((await Promise.all(calls)).sort()).toEqual([FOUR_SECONDS, 'media_refused'])
  })

  test('Q6 nothing is kept for who wants nothing kept', async () => {
    await using worker = await world.worker()
    const secret = (job: string) => payer(job, { keep: ms(0) })
    await worker.calls.transcribe(secret('job_a'), 's0', world.recording('a'), never)
    await worker.calls.transcribe(secret('job_b'), 's0', world.recording('a'), never)
    expect(world.service.requests).toBe(2)
    expect(await world.keysLike('*:answer:*')).toEqual([])
  })
})

describe('small models first', () => {
  const unsure = () => ({
    ...world.recording('a'),
    ...{ model: 'gpt-4o-mini-transcribe', format: 'json' as const, prompt: 'unsure', escalateTo: 'gpt-4o-transcribe' },
  })

  test('Q5 an answer that is not sure is asked of the larger model, and both are paid for', async () => {
    await using worker = await world.worker()
    const paid = await worker.calls.transcribe(payer('job_a'), 's0', unsure(), never)
    expect(paid).toMatchObject({ model: 'gpt-4o-transcribe', calls: 2 })
    const records = await world.booked(2)
    expect(records.map(({ id, model }) => [id, model])).toEqual([
      ['job_a:s0', 'gpt-4o-mini-transcribe'],
      ['job_a:s0:sure', 'gpt-4o-transcribe'],
    ])
    expect(paid.cost).toBe(records.reduce((sum, { cost }) => sum + cost, 0))
  })

  test('Q5 a sure answer stays the small one', async () => {
    await using worker = await world.worker()
    const paid = await worker.calls.transcribe(payer('job_a'), 's0', { ...unsure(), prompt: null }, never)
    expect(paid).toMatchObject({ model: 'gpt-4o-mini-transcribe', calls: 1 })
  })

  test('Q5 where the larger model cannot be had the small answer stands', async () => {
    await using worker = await world.worker()
    world.service.next.push({}, { refuse: 400 })
    const paid = await worker.calls.transcribe(payer('job_a'), 's0', unsure(), never)
    expect(paid.model).toBe('gpt-4o-mini-transcribe')
  })
})

test('M4 a recording in which nobody speaks costs nothing and says what it would have cost', async () => {
  await using worker = await world.worker()
  const savings = worker.calls.nothingBought(payer('job_a'), 'silence', 'whisper-1', ms(60_000))
  expect(savings).toMatchObject([{ kind: 'silence_removed', quantity: 60_000, saved: 6_000_000 }])
  expect(await world.booked(1)).toMatchObject([{ id: 'job_a:silence', cost: 0, savings }])
})

test('M4 silence cut out of a piece stands on its record, at the price it was bought at', async () => {
  await using worker = await world.worker()
  const call = { ...world.recording('a'), leftOut: { silence: ms(6_000) } }
  await worker.calls.transcribe(payer('job_a'), 's0', call, never)
  expect(await world.booked(1)).toMatchObject([
    { savings: [{ kind: 'silence_removed', quantity: 6_000, otherwise: 600_000, saved: 600_000 }] },
  ])
})
