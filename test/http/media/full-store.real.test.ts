import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { configFrom } from '../../../src/config/read-config.ts'
import { openStorage } from '../../../src/storage/open-storage.ts'
import { BatchStore } from '../../../src/store/batches.ts'
import { Store } from '../../../src/store/store.ts'
import { ms } from '../../../src/units.ts'
import { startBatches } from '../../../workers/batches/start-batches.ts'
import { eventually } from '../../support/eventually.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { finished, forAll, mediaWorld } from '../../support/media-workers.ts'
import { Parley, policy, silent, TempFolder } from '../../support/parley.ts'
import { PrivateRedis } from '../../support/private-redis.ts'

/** What the Redis may use; large beside what the test itself writes, bytes. */
const MOST = 64 * 1_024 * 1_024

const stack = new AsyncDisposableStack()
let redis: Redis
let parley: Parley
let caller: MediaCaller
beforeAll(async () => {
  const server = stack.use(await PrivateRedis.start(['--maxmemory', String(MOST)]))
  const folder = stack.use(new TempFolder())
  const config = configFrom(policy(null, folder.path, { redis: { url: server.url } }))
  const store = stack.use(await Store.open(config, process.env.PATH, systemClock, silent))
  parley = stack.use(
    await Parley.start({ store, policy: { plans: { default: { jobs: { requestsPerMinute: null } } } } }),
  )
  caller = new MediaCaller(parley)
  redis = new Redis({ path: server.url.slice('unix:'.length) })
  stack.defer(() => redis.disconnect())
})
afterAll(() => stack.disposeAsync())

/** Makes Redis use such a share of what it may. */
const fill = async (share: number) => {
  await redis.del('ballast')
  const used = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
  await redis.setrange('ballast', Math.max(0, Math.floor(MOST * share) - used), 'x')
}
const job = { type: 'audio.transcribe', input: { data: Buffer.from('RIFF').toString('base64') } }
const line = (name: string) => JSON.stringify({ custom_id: name, method: 'POST', url: '/v1/jobs', body: job })

test('Q1 while Redis is nearly full nothing new is taken in, and all that was acknowledged comes to its end', async () => {
  const known = await caller.post('/v1/jobs', job, { 'Idempotency-Key': 'known' })
  expect(known.status).toBe(202)
  const input = await caller.form({ file: new File([line('a')], 'in.jsonl'), purpose: 'batch' })
  const batch = { input_file_id: input.body.id, endpoint: '/v1/jobs', completion_window: '24h' }
  const begun = await caller.post('/v1/batches', batch, { 'Idempotency-Key': 'begun' })
  expect(begun.status).toBe(200)

  await fill(0.9)
  const asks = [
    () => caller.post('/v1/jobs', job),
    () => caller.upload('RIFF'),
    () => caller.post('/v1/batches', batch, { 'Idempotency-Key': 'another' }),
    () => caller.post('/v1/webhook_endpoints', { url: 'https://example.com/' }),
    () => caller.ask('POST', '/v1/uploads', { headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '4' } }),
  ]
  // What was seen of Redis is believed for a moment.
  await eventually(async () => expect((await caller.open('POST', '/v1/jobs', init(job))).status).toBe(503), 5_000)
  for (const ask of asks) {
    const refused = await ask()
    expect([refused.status, refused.body.code, refused.body.retryable]).toEqual([503, 'unavailable', true])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  const replayed = await caller.post('/v1/jobs', job, { 'Idempotency-Key': 'known' })
  expect([replayed.status, replayed.body.id]).toEqual([202, known.body.id])

  const world = await mediaWorld(parley.store.place, parley.config.dataDir, stack)
  stack.use(await world.workers(forAll({ run: async () => finished('done') })))
  expect(await world.ended({ tenant: 'acme', id: known.body.id })).toMatchObject({ status: 'succeeded' })

  const batches = new BatchStore(redis, () => ms(60_000))
  stack.use(
    startBatches({
      ...{ clock: systemClock, log: silent, store: parley.store, config: () => parley.config, tools: null },
      storage: await openStorage(parley.config, systemClock.now()),
    }),
  )
  const standing = () => batches.read('acme', begun.body.id)
  await eventually(async () => expect(await standing()).toMatchObject({ status: 'in_progress', made: 0 }), 20_000)
  await fill(0)
  await eventually(async () => expect(await standing()).toMatchObject({ status: 'completed', succeeded: 1 }), 30_000)
  expect((await caller.post('/v1/jobs', job)).status).toBe(202)
}, 90_000)

const init = (body: object): RequestInit => ({
  body: JSON.stringify(body),
  headers: { 'Content-Type': 'application/json' },
})
