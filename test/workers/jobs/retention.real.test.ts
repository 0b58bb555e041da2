import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { newId } from '../../../src/media/ids.ts'
import { MediaMetrics } from '../../../src/metrics.ts'
import { blobName } from '../../../src/storage/storage.ts'
import { BatchStore } from '../../../src/store/batches.ts'
import { BackOffice } from '../../../src/store/jobs/back-office.ts'
import { RedisJobStore } from '../../../src/store/jobs/redis-job-store.ts'
import { type Instant, later, ms } from '../../../src/units.ts'
import { cleanUp } from '../../../workers/jobs/clean-up.ts'
import { countOrphans } from '../../../workers/jobs/count-orphans.ts'
import { jobLimits, newJob, queueConfig } from '../../support/jobs.ts'
import { type MediaWorld, mediaWorld } from '../../support/media-workers.ts'
import { silent } from '../../support/parley.ts'
import { TestStore } from '../../support/store.ts'
import { TempFolder } from '../../support/temp-folder.ts'

const stack = new AsyncDisposableStack()
const metrics = new MediaMetrics(new Registry())
let world: MediaWorld
let own: TestStore
let batches: BatchStore
beforeAll(async () => {
  own = stack.use(await TestStore.open())
  batches = new BatchStore(own.store.redis, () => queueConfig.keepRecords)
  world = await mediaWorld(own.store.place, stack.use(new TempFolder()).path, stack)
})
afterAll(() => stack.disposeAsync())

async function* bytes(text = 'bytes') {
  yield Buffer.from(text)
}

const never = AbortSignal.timeout(60_000)
const fileOf = (tenant: string) =>
  world.desk.take(
    { tenant, keyId: 'k1234567', purpose: () => 'output', filename: null, most: 5, keep: ms(60_000) },
    bytes(),
    never,
  )

test('Q1 what an ended job leaves is deleted when its time has come: work and input at once, result and record later', async () => {
  let now: Instant = systemClock.now()
  const options = { limits: () => jobLimits, queue: () => queueConfig, now: () => now }
  const store = new RedisJobStore(own.store.redis, options)
  const office = new BackOffice(own.store.redis, options)
  const { storage, desk, files } = world
  const input = await fileOf('acme')
  const job = newJob('acme', now, { input: { file_id: input.id } })
  await files.claim('acme', input.id, job.id, later(now, ms(3_600_000)))
  await store.create(job, null, ms(1))
  const started = await store.start('acme', job.id, 1)
  if (started.type !== 'started') throw new Error(started.type)
  await storage.write(blobName('acme', job.id, 'piece-0.flac'), bytes(), 10)
  const tidy = () => cleanUp({ log: silent, store, office, storage, desk }, 'acme', never)
  const orphans = () => countOrphans({ log: silent, metrics, storage, files, store, office, batches }, never)

  await tidy()
  expect(await orphans()).toEqual({ bytes: [], records: [] })
  const result = { kind: 'inline', json: { text: 'hello' } } as const
  await store.end(started.hold, { status: 'succeeded', error: null, result, saved: null, usage: null })
  expect(await orphans(), 'before anything is deleted').toEqual({ bytes: [], records: [] })
  await tidy()
  expect(await storage.size(blobName('acme', job.id, 'piece-0.flac'))).toBeNull()
  expect(await files.read('acme', input.id)).toBeNull()
  expect(await store.read('acme', job.id)).toMatchObject({ result })

  now = later(now, job.retention.output)
  await tidy()
  expect(await store.read('acme', job.id)).toMatchObject({ status: 'succeeded', result: null })
  expect(await store.events('acme', job.id, 0)).toEqual([])
  now = later(now, queueConfig.keepRecords)
  await tidy()
  expect(await store.read('acme', job.id)).toBeNull()
  expect(await orphans()).toEqual({ bytes: [], records: [] })
})

test('Q1 a job that may succeed when it is asked for again keeps its input and its work meanwhile', async () => {
  const now = systemClock.now()
  const options = { limits: () => jobLimits, queue: () => queueConfig }
  const store = new RedisJobStore(own.store.redis, options)
  const office = new BackOffice(own.store.redis, options)
  const { storage, desk, files } = world
  const input = await fileOf('zenith')
  const job = newJob('zenith', now, { input: { file_id: input.id } })
  await files.claim('zenith', input.id, job.id, later(now, ms(3_600_000)))
  await store.create(job, null, ms(1))
  const started = await store.start('zenith', job.id, 1)
  if (started.type !== 'started') throw new Error(started.type)
  await storage.write(blobName('zenith', job.id, 'piece-0.flac'), bytes(), 10)
  const error = { code: 'budget_spent', message: 'no more money', retryable: true }
  await store.end(started.hold, { status: 'failed', error, result: null, saved: null, usage: null })
  await cleanUp({ log: silent, store, office, storage, desk }, 'zenith', never)
  expect(await storage.size(blobName('zenith', job.id, 'piece-0.flac'))).toBe(5)
  expect(await files.read('zenith', input.id)).not.toBeNull()
  expect((await store.retry('zenith', job.id))?.status).toBe('queued')
})

test('Q1 the daily count finds bytes that no record knows and records whose bytes are gone', async () => {
  const { storage, files, store } = world
  const office = new BackOffice(own.store.redis, { limits: () => jobLimits, queue: () => queueConfig })
  const stray = blobName('acme', newJob('acme', systemClock.now()).id, 'piece-0.flac')
  await storage.write(stray, bytes(), 10)
  const odd = blobName('acme', 'nobody-knows')
  await storage.write(odd, bytes(), 10)
  const gone = blobName('acme', newId('batch', systemClock.now()), 'sheet.1')
  await storage.write(gone, bytes(), 10)
  const file = await fileOf('acme')
  await storage.remove(blobName('acme', file.id))
  const found = await countOrphans({ log: silent, metrics, storage, files, store, office, batches }, never)
  expect(found.bytes.toSorted()).toEqual([stray, odd, gone].toSorted())
  expect(found.records).toEqual([`acme/${file.id}`])
})
