import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { FaultError } from '../../../src/faults.ts'
import type { Job } from '../../../src/media/job.ts'
import { blobName } from '../../../src/storage/storage.ts'
import { ms } from '../../../src/units.ts'
import type { PartedProcessor, Processor } from '../../../workers/jobs/processor.ts'
import { eventually } from '../../support/eventually.ts'
import { newJob } from '../../support/jobs.ts'
import { finished, forAll, type MediaWorld, mediaWorld } from '../../support/media-workers.ts'
import { TestStore } from '../../support/store.ts'
import { TempFolder } from '../../support/temp-folder.ts'

const stack = new AsyncDisposableStack()
let folder: string
let world: MediaWorld
beforeAll(async () => {
  folder = stack.use(new TempFolder()).path
  const own = stack.use(await TestStore.open())
  world = await mediaWorld(own.store.place, folder, stack)
  stack.use(await world.workers(forAll({ run: (job, tools, signal) => behaviour(job).run(job, tools, signal) })))
})
afterAll(() => stack.disposeAsync())

/** What the test wants done with a job, by its id. */
const behaviours = new Map<string, Processor>()
const behaviour = ({ id }: Job) => behaviours.get(id) as Processor

async function post(processor: Processor['run'], changes: Partial<Job> = {}): Promise<Job> {
  const job = newJob('acme', systemClock.now(), changes)
  behaviours.set(job.id, { run: processor })
  await world.store.create(job, null, ms(100))
  return job
}

test('Q1 a job is done by a worker, and every change of it is told to webhooks once', async () => {
  const job = await post(async (_job, { progress, segment }) => {
    progress({ stage: 'preparing', done: 1, total: 2 })
    segment({ text: 'hello' })
    return finished({ text: 'hello' })
  })
  const ended = await world.ended(job)
  expect(ended).toMatchObject({ status: 'succeeded', attempt: 1, result: { kind: 'inline', json: { text: 'hello' } } })
  await eventually(() => {
    const told = world.news.filter((each) => each.job === job.id).map(({ type, seq }) => [type, seq])
    expect(told).toEqual([
      ['job.queued', 1],
      ['job.started', 2],
      ['job.succeeded', 3],
    ])
  }, 10_000)
  const events = await world.store.events('acme', job.id, 0)
  expect(events.map(({ event }) => event)).toEqual([
    ...['job.status', 'job.status', 'job.progress', 'job.segment', 'job.ended'],
  ])
})

test('Q1 bad media fails at once, a passing failure is tried again, a mistake of ours says nothing about itself', async () => {
  let tries = 0
  const bad = await post(async () => {
    throw new FaultError('media_corrupt', 'the file is no recording')
  })
  const passing = await post(async () => {
    if (++tries < 2) throw new FaultError('upstream_unavailable', 'later')
    return finished(tries)
  })
  expect(await world.ended(bad)).toMatchObject({
    ...{ status: 'failed', attempt: 1 },
    error: { code: 'media_corrupt', message: 'the file is no recording', retryable: false },
  })
  expect(await world.ended(passing)).toMatchObject({ status: 'succeeded', attempt: 2, error: null })
  const mistaken = await post(
    async () => {
      throw new TypeError('secret of ours')
    },
    { maxAttempts: 1 },
  )
  const { status, error } = await world.ended(mistaken)
  expect([status, error?.code, error?.message]).toEqual(['failed', 'internal', expect.not.stringContaining('secret')])
})

test('Q1 a job that runs is stopped when its owner cancels it', async () => {
  const begun = Promise.withResolvers<void>()
  const job = await post(async (_job, _tools, signal) => {
    begun.resolve()
    await once(signal, 'abort')
    throw new Error('the tools were killed')
  })
  await begun.promise
  await world.store.cancel('acme', job.id)
  expect(await world.ended(job)).toMatchObject({ status: 'canceled', error: null, cancelRequested: true })
})

test('Q1 a job that is still running at its deadline is canceled and says so', async () => {
  const deadline = (systemClock.now() + 1_000) as Job['createdAt']
  const job = await post(
    async (_job, _tools, signal) => {
      await once(signal, 'abort')
      throw new Error('the tools were killed')
    },
    { deadline },
  )
  expect(await world.ended(job)).toMatchObject({ status: 'canceled', error: { code: 'deadline_passed' } })
})

test('Q3 a job in parts is put together when each part has a result, and parts with a result are not done again', async () => {
  const done: number[] = []
  const failing = new Set([1])
  const processor: PartedProcessor = {
    run: async () => ({ type: 'parted', costs: [ms(10), ms(10), ms(10)] }),
    part: async (job, index, { storage }) => {
      const name = blobName('acme', job.id, `part-${index}`)
      if ((await storage.size(name)) !== null) return
      if (failing.delete(index)) throw new FaultError('budget_spent', 'no more money')
      done.push(index)
      const bytes = async function* () {
        yield Buffer.from(String(index))
      }
      await storage.write(name, bytes(), 10)
    },
    merge: async (_job, failed) => {
      if (failed[0] !== undefined) throw new FaultError('budget_spent', failed[0].error.message)
      return finished('all')
    },
  }
  const own = new TempFolder()
  await mkdir(own.path, { recursive: true })
  const apart = stack.use(await TestStore.open())
  const parts = await mediaWorld(apart.store.place, own.path, stack)
  stack.use(await parts.workers(forAll(processor)))
  const job = newJob('acme', systemClock.now())
  await parts.store.create(job, null, ms(100))
  expect(await parts.ended(job)).toMatchObject({ status: 'failed', error: { code: 'budget_spent', retryable: true } })
  expect(done.sort()).toEqual([0, 2])
  await parts.store.retry('acme', job.id)
  expect(await parts.ended(job)).toMatchObject({ status: 'succeeded', result: { json: 'all' } })
  expect(done.sort()).toEqual([0, 1, 2])
  // The pieces are nobody's any more.
  await eventually(async () => {
    for await (const name of parts.storage.list()) throw new Error(`${name} is left`)
  }, 20_000)
})

test('Q1 a job that waits for its time begins then, and one that is not begun in time expires', async () => {
  const now = systemClock.now()
  const later = await post(async () => finished('later'), { runAt: (now + 1_500) as Job['createdAt'] })
  expect((await world.store.read('acme', later.id))?.status).toBe('scheduled')
  const late = await post(async () => finished('never'), {
    ...{ runAt: (now + 60_000) as Job['createdAt'], expiresAt: (now + 1_000) as Job['createdAt'] },
  })
  expect(await world.ended(later)).toMatchObject({ status: 'succeeded' })
  expect(await world.ended(late)).toMatchObject({ status: 'expired', startedAt: null })
})

test('Q1 workers that stop give back what they cannot finish, and leave nothing in their folders', async () => {
  const apart = stack.use(await TestStore.open())
  const own = stack.use(new TempFolder())
  const two = await mediaWorld(apart.store.place, own.path, stack)
  const begun = Promise.withResolvers<void>()
  const first = await two.workers(
    forAll({
      run: async (_job, { folder: scratch }, signal) => {
        await mkdir(join(scratch, 'half'))
        begun.resolve()
        await once(signal, 'abort')
        throw signal.reason
      },
    }),
  )
  const job = newJob('acme', systemClock.now())
  await two.store.create(job, null, ms(100))
  await begun.promise
  await first[Symbol.asyncDispose]()
  expect(await two.store.read('acme', job.id)).toMatchObject({ status: 'queued', error: null })
  stack.use(await two.workers(forAll({ run: async () => finished('by another') })))
  expect(await two.ended(job)).toMatchObject({ status: 'succeeded', result: { json: 'by another' } })
  expect(await readdir(join(own.path, 'scratch'))).toHaveLength(1)
}, 30_000)

test('Q7 three hundred jobs of one tenant do not hold up ten of another, all the way through the queue', async () => {
  const apart = stack.use(await TestStore.open())
  const fair = await mediaWorld(apart.store.place, stack.use(new TempFolder()).path, stack, {
    plans: { default: { jobs: { running: 3 } } },
    media: { queue: { jobs: 4 } },
  })
  const begun: string[] = []
  const many = Array.from({ length: 300 }, () => newJob('acme', systemClock.now()))
  for (const job of many) await fair.store.create(job, null, ms(1_000))
  stack.use(
    await fair.workers(
      forAll({
        run: async (job) => {
          begun.push(job.tenant)
          return finished(null)
        },
      }),
    ),
  )
  await eventually(() => expect(begun.length).toBeGreaterThanOrEqual(20), 20_000)
  const before = begun.length
  const few = Array.from({ length: 10 }, () => newJob('zenith', systemClock.now()))
  await Promise.all(few.map((job) => fair.store.create(job, null, ms(1_000))))
  for (const job of few) await fair.ended(job)
  // One of each in turn, a few more that were on their way already, and those that went by while the ten were made.
  expect(begun.lastIndexOf('zenith') - begun.indexOf('zenith')).toBeLessThanOrEqual(40)
  expect(before).toBeLessThan(300)
}, 60_000)
