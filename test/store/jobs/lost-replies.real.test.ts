import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChaosLine } from '../../../ordeal/chaos-line.ts'
import { Dice } from '../../../ordeal/dice.ts'
import { systemClock } from '../../../src/clock.ts'
import type { Job } from '../../../src/media/job.ts'
import type { JobOutcome } from '../../../src/media/job-store.ts'
import { RedisJobStore } from '../../../src/store/jobs/redis-job-store.ts'
import { keys } from '../../../src/store/keys.ts'
import { connectForQueue } from '../../../src/store/redis.ts'
import { ms } from '../../../src/units.ts'
import { jobLimits, newJob, queueConfig } from '../../support/jobs.ts'
import { silent } from '../../support/parley.ts'
import { PrivateRedis } from '../../support/private-redis.ts'
import { TempFolder } from '../../support/temp-folder.ts'

const JOBS = 150
const stack = new AsyncDisposableStack()
let server: PrivateRedis
let line: ChaosLine
let store: RedisJobStore
let direct: ReturnType<typeof connectForQueue>
beforeAll(async () => {
  server = stack.use(await PrivateRedis.start())
  const folder = stack.use(new TempFolder())
  const path = join(folder.path, 'line.sock')
  line = stack.use(await ChaosLine.open(path, { path: server.url.slice('unix:'.length) }))
  const redis = connectForQueue(`unix:${path}`, silent)
  stack.defer(() => redis.disconnect())
  direct = connectForQueue(server.url, silent)
  stack.defer(() => direct.disconnect())
  store = new RedisJobStore(redis, { limits: () => ({ ...jobLimits, running: null }), queue: () => queueConfig })
})
afterAll(() => stack.disposeAsync())

test('Q1 whatever replies get lost, each change is made once, told once and counted once', async () => {
  const done: JobOutcome = { status: 'succeeded', error: null, result: null, saved: null, usage: null }
  const later = { code: 'upstream_unavailable', message: 'later', retryable: true }
  const batch = { id: 'batch_00000000000000000000000000', customId: 'x' }
  await direct.hset(`${keys.tenant('acme')}:batch:${batch.id}:record`, 'token', 'held')
  const live = async (): Promise<Job> => {
    const job = newJob('acme', systemClock.now(), { batch })
    await store.create(job, null, ms(1), { batchHold: 'held' })
    const first = await store.start('acme', job.id, 1)
    if (first.type !== 'started') throw new Error(`the first start: ${first.type}`)
    await store.segment(first.hold, { text: 'one' })
    expect(await store.postpone(first.hold, later, ms(0))).toBe('queued')
    const second = await store.start('acme', job.id, 2)
    if (second.type !== 'started') throw new Error(`the second start: ${second.type}`)
    expect(await store.end(second.hold, done)).toBe(true)
    return job
  }
  const dice = Dice.of(1, 'replies')
  let isOver = false
  const chaos = (async () => {
    while (!isOver) await line.loseReplies(1, 20, dice)
  })()
  const jobs = await Promise.all(Array.from({ length: JOBS }, live))
  isOver = true
  await chaos

  const calm = new RedisJobStore(direct, { limits: () => jobLimits, queue: () => queueConfig })
  const root = keys.tenant('acme')
  for (const { id } of jobs) {
    expect(await calm.read('acme', id)).toMatchObject({ status: 'succeeded', attempt: 2, seq: 5 })
    const events = await calm.events('acme', id, 0)
    expect(events.map(({ event }) => event)).toEqual([
      ...['job.status', 'job.status', 'job.segment', 'job.status', 'job.status', 'job.ended'],
    ])
  }
  expect(await direct.zcard(`${root}:jobs:news`)).toBe(5 * JOBS)
  expect(await direct.hgetall(`${root}:batch:${batch.id}`)).toEqual({ succeeded: String(JOBS) })
  expect(await direct.hget(`${root}:batch:${batch.id}:record`, 'made')).toBe(String(JOBS))
  for (const index of ['ready', 'ready:again', 'sent', 'slots', 'handed', 'alarms', 'in:queued', 'in:processing']) {
    expect(await direct.zcard(`${root}:jobs:${index}`), index).toBe(0)
  }
}, 60_000)
