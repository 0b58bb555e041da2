import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { newId } from '../../../src/media/ids.ts'
import type { Job } from '../../../src/media/job.ts'
import type { JobHold, JobOutcome } from '../../../src/media/job-store.ts'
import { type BatchHold, BatchStore } from '../../../src/store/batches.ts'
import { BackOffice } from '../../../src/store/jobs/back-office.ts'
import { follow, JobFeed } from '../../../src/store/jobs/job-feed.ts'
import { RedisJobStore } from '../../../src/store/jobs/redis-job-store.ts'
import { connectForQueue } from '../../../src/store/redis.ts'
import { later, ms } from '../../../src/units.ts'
import { jobLimits, newJob, queueConfig } from '../../support/jobs.ts'
import { silent } from '../../support/parley.ts'
import { TestStore } from '../../support/store.ts'

let own: TestStore
let store: RedisJobStore
beforeAll(async () => {
  own = await TestStore.open()
  store = new RedisJobStore(own.store.redis, {
    limits: (tenant) => ({
      ...jobLimits,
      running: tenant === 'narrow' ? 1 : 4,
      waiting: tenant === 'short' ? 2 : 1_000,
    }),
    queue: () => queueConfig,
  })
})
afterAll(() => own[Symbol.asyncDispose]())

const now = () => systemClock.now()
const succeeded: JobOutcome = {
  status: 'succeeded',
  error: null,
  result: { kind: 'inline', json: { text: 'hello' } },
  saved: null,
  usage: null,
}
const late = { code: 'upstream_unavailable', message: 'later', retryable: true }

async function begun(tenant: string): Promise<JobHold> {
  const job = newJob(tenant, now())
  await store.create(job, null, ms(1_000))
  const answer = await store.start(tenant, job.id, 1)
  if (answer.type !== 'started') throw new Error(answer.type)
  return answer.hold
}

test('Q1 of a hundred equal requests one makes the job and the others get it', async () => {
  const idempotency = { key: 'a'.repeat(64), fingerprint: 'f1', keep: ms(60_000) }
  const jobs = Array.from({ length: 100 }, () => newJob('race', now()))
  const answers = await Promise.all(jobs.map((job) => store.create(job, idempotency, ms(1_000))))
  expect(answers.filter(({ type }) => type === 'created')).toHaveLength(1)
  expect(answers.filter(({ type }) => type === 'replayed')).toHaveLength(99)
  expect(new Set(answers.map((answer) => ('job' in answer ? answer.job.id : answer.type))).size).toBe(1)
  expect((await store.list('race', { limit: 200 })).jobs).toHaveLength(1)
  const other = await store.create(newJob('race', now()), { ...idempotency, fingerprint: 'f2' }, ms(1_000))
  expect(other).toEqual({ type: 'mismatch' })
})

test('Q1 only whoever holds a batch makes jobs of it, and each is counted once', async () => {
  const batches = new BatchStore(own.store.redis, () => ms(60_000), ms(0))
  const head = { id: newId('batch', now()), tenant: 'lines', keyId: 'k1234567', inputFileId: newId('file', now()) }
  const rest = { window: '24h', metadata: {}, expiresAt: later(now(), ms(60_000)), keepOutput: ms(60_000) }
  await batches.create({ ...head, ...rest }, { key: 'a'.repeat(64), fingerprint: 'f1', keep: ms(60_000) })
  const [lost] = await batches.claim('lines', 1)
  const [held] = await batches.claim('lines', 1)
  const batch = { id: head.id, customId: 'a' }
  const make = (hold: BatchHold | undefined, job: Job) => store.create(job, null, ms(1), { batchHold: hold?.token })
  const job = newJob('lines', now(), { batch })
  expect(await make(lost, newJob('lines', now(), { batch }))).toEqual({ type: 'lost' })
  expect(await make(undefined, newJob('lines', now(), { batch }))).toEqual({ type: 'lost' })
  expect(await make(held, job)).toMatchObject({ type: 'created' })
  expect(await make(held, job)).toMatchObject({ type: 'created', job: { id: job.id } })
  expect(await batches.read('lines', head.id)).toMatchObject({ made: 1 })
})

test('Q7 a job that had its turn before comes before those of its tenant that have not had theirs', async () => {
  const office = new BackOffice(own.store.redis, { limits: () => jobLimits, queue: () => queueConfig })
  const first = await begun('turns')
  const later = [newJob('turns', now()), newJob('turns', now()), newJob('turns', now(), { priority: 'low' })]
  for (const job of later) await store.create(job, null, ms(1))
  expect(await store.postpone(first, late, ms(0))).toBe('queued')
  expect(await store.place('turns', first.job.id)).toMatchObject({ position: 1 })
  expect(await store.place('turns', later[2]?.id ?? '')).toMatchObject({ position: 4 })
  const claimed = (await office.claim('turns')).map(({ id }) => id)
  expect([claimed.length, claimed[0], claimed[3]]).toEqual([4, first.job.id, later[2]?.id])
  // So does one that the queue has lost.
  const lost = { where: 'sent' as const, id: later[2]?.id ?? '', dispatch: 1 }
  expect(await office.resend('turns', lost)).toBe(true)
  expect((await office.claim('turns')).map(({ id }) => id)).toEqual([lost.id])
})

test('Q7 a tenant has no more waiting jobs than it may', async () => {
  expect((await store.create(newJob('short', now()), null, ms(1))).type).toBe('created')
  expect((await store.create(newJob('short', now()), null, ms(1))).type).toBe('created')
  const third = await store.create(newJob('short', now()), null, ms(1))
  expect(third.type).toBe('queue_full')
  expect((await store.create(newJob('other', now()), null, ms(1))).type).toBe('created')
})

test('Q1 a job that another worker has been given can be changed by the newer one only', async () => {
  const old = await begun('fence')
  const answer = await store.start('fence', old.job.id, 1)
  const next = answer.type === 'started' ? answer.hold : old
  expect(next.token).not.toBe(old.token)
  expect(await store.beat(old)).toEqual({ held: false, cancel: false })
  expect(await store.end(old, succeeded)).toBe(false)
  expect(await store.postpone(old, late, ms(0))).toBe('lost')
  expect(await store.end(next, succeeded)).toBe(true)
  expect(await store.end(next, succeeded), 'asked again after a lost reply').toBe(true)
  expect(await store.end(old, { ...succeeded, status: 'failed' })).toBe(false)
  const job = await store.read('fence', old.job.id)
  expect(job).toMatchObject({ status: 'succeeded', attempt: 1, result: succeeded.result })
})

test('Q1 a job that waits is canceled at once, one that runs when its worker says so', async () => {
  const waiting = newJob('stop', now())
  await store.create(waiting, null, ms(1))
  expect(await store.cancel('stop', waiting.id)).toMatchObject({ status: 'canceled', cancelRequested: true })
  expect(await store.start('stop', waiting.id, 1)).toEqual({ type: 'not_due' })
  const hold = await begun('stop')
  expect(await store.cancel('stop', hold.job.id)).toMatchObject({ status: 'processing', cancelRequested: true })
  expect(await store.beat(hold)).toEqual({ held: true, cancel: true })
  expect(await store.postpone(hold, late, ms(0))).toBe('canceled')
  expect(await store.cancel('stop', hold.job.id)).toMatchObject({ status: 'canceled' })
  expect(await store.cancel('someone_else', hold.job.id)).toBeNull()
})

test('Q7 a tenant runs no more jobs than it may, and gives its slot back with the end or the hand-over', async () => {
  const first = await begun('narrow')
  const job = newJob('narrow', now())
  await store.create(job, null, ms(1))
  expect((await store.start('narrow', job.id, 1)).type).toBe('busy')
  await store.handOver(first)
  expect((await store.start('narrow', job.id, 1)).type).toBe('started')
  expect(await store.beat(first)).toEqual({ held: true, cancel: false })
  expect(await store.end(first, succeeded)).toBe(true)
})

test('Q1 a job that fails for a passing reason waits again until it has been tried often enough', async () => {
  const hold = await begun('again')
  expect(await store.postpone(hold, late, ms(0))).toBe('queued')
  expect(await store.postpone(hold, late, ms(0)), 'asked again after a lost reply').toBe('queued')
  expect(await store.start('again', hold.job.id, 1), 'the run before').toEqual({ type: 'not_due' })
  for (const [dispatch, status] of [
    [2, 'queued'],
    [3, 'failed'],
  ] as const) {
    const answer = await store.start('again', hold.job.id, dispatch)
    if (answer.type !== 'started') throw new Error(answer.type)
    expect(await store.postpone(answer.hold, late, ms(0))).toBe(status)
  }
  expect(await store.read('again', hold.job.id)).toMatchObject({ status: 'failed', attempt: 3, error: late })
  expect(await store.retry('again', hold.job.id)).toMatchObject({ status: 'queued', error: null })
  const answer = await store.start('again', hold.job.id, 4)
  expect(answer.type === 'started' && answer.hold.job.attempt).toBe(4)
})

test('Q1 a job that brings its worker down each time is failed', async () => {
  const job = newJob('poison', now())
  await store.create(job, null, ms(1))
  for (let i = 0; i < queueConfig.mostStarts; i++) {
    expect((await store.start('poison', job.id, 1)).type).toBe('started')
  }
  expect(await store.start('poison', job.id, 1)).toEqual({ type: 'poisoned' })
  expect(await store.read('poison', job.id)).toMatchObject({ status: 'failed', error: { retryable: false } })
})

test('Q1 lists go by id, newest first, with filters and from any id on', async () => {
  const at = now()
  const jobs = Array.from({ length: 30 }, (_, i) =>
    newJob('lists', (at + i) as typeof at, { metadata: { half: i < 15 ? 'a' : 'b' } }),
  )
  for (const job of jobs) await store.create(job, null, ms(1))
  const ids = jobs.map(({ id }) => id).reverse()
  const page = await store.list('lists', { limit: 10 })
  expect([page.jobs.map(({ id }) => id), page.hasMore]).toEqual([ids.slice(0, 10), true])
  const next = await store.list('lists', { limit: 20, after: ids[9] as string })
  expect([next.jobs.map(({ id }) => id), next.hasMore]).toEqual([ids.slice(10), false])
  const back = await store.list('lists', { limit: 5, before: ids[9] as string })
  expect([back.jobs.map(({ id }) => id), back.hasMore]).toEqual([ids.slice(4, 9), true])
  await store.cancel('lists', ids[3] as string)
  const canceled = await store.list('lists', { limit: 10, status: 'canceled' })
  expect(canceled.jobs.map(({ id }) => id)).toEqual([ids[3]])
  const half = await store.list('lists', { limit: 100, metadata: { half: 'a' }, status: 'queued' })
  expect(half.jobs.map(({ id }) => id)).toEqual(ids.slice(15))
  expect((await store.list('nobody', { limit: 10 })).jobs).toEqual([])
  expect(await store.place('lists', ids[29] as string)).toMatchObject({ position: 1 })
})

test('Q1 whoever follows a job hears each event once, in order, and of its end', async () => {
  using feed = new JobFeed(connectForQueue(own.store.place, silent))
  const hold = await begun('follow')
  const { id } = hold.job
  const heard: string[] = []
  const all = (async () => {
    for await (const { id: n, event } of follow(store, feed, { tenant: 'follow', id }, 0, AbortSignal.timeout(10_000)))
      heard.push(`${n} ${event}`)
  })()
  await store.progress(hold, { stage: 'preparing', done: 0, total: 0 })
  await store.segment(hold, { index: 0, text: 'hello' })
  await store.end(hold, succeeded)
  await all
  const kinds = ['job.status', 'job.status', 'job.progress', 'job.segment', 'job.ended']
  expect(heard).toEqual(kinds.map((kind, i) => `${i + 1} ${kind}`))
  expect((await store.events('follow', id, 3)).map(({ event }) => event)).toEqual(['job.segment', 'job.ended'])
})

test('Q1 a job that was removed has left nothing but what ends by itself', async () => {
  const hold = await begun('gone')
  await store.segment(hold, {})
  await store.end(hold, succeeded)
  await store.remove('gone', hold.job.id)
  expect(await store.read('gone', hold.job.id)).toBeNull()
  const { redis } = own.store
  const left = []
  for await (const found of redis.scanStream({ match: 'parley:{t:gone}*' }) as AsyncIterable<string[]>)
    for (const key of found) if ((await redis.pttl(key)) < 0) left.push(key)
  expect(left.sort()).toEqual(['parley:{t:gone}:jobs:news', 'parley:{t:gone}:jobs:pace'])
})
