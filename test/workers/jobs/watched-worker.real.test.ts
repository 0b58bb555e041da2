import { join } from 'node:path'
import { Queue } from 'bullmq'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChaosLine } from '../../../ordeal/chaos-line.ts'
import { Dice } from '../../../ordeal/dice.ts'
import { MediaMetrics } from '../../../src/metrics.ts'
import { connectForQueue, connectRedis } from '../../../src/store/redis.ts'
import { MEDIA_PREFIX } from '../../../workers/jobs/media-queues.ts'
import { WatchedWorker } from '../../../workers/jobs/watched-worker.ts'
import { eventually } from '../../support/eventually.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { silent } from '../../support/parley.ts'
import { PrivateRedis } from '../../support/private-redis.ts'
import { TempFolder } from '../../support/temp-folder.ts'

const stack = new AsyncDisposableStack()
let server: PrivateRedis
let line: ChaosLine
let path: string
beforeAll(async () => {
  server = stack.use(await PrivateRedis.start())
  path = join(stack.use(new TempFolder()).path, 'line.sock')
  line = stack.use(await ChaosLine.open(path, { path: server.url.slice('unix:'.length) }))
})
afterAll(() => stack.disposeAsync())

test('Q1 a worker that takes nothing although jobs wait is made anew', async () => {
  const clock = new ManualClock()
  const metrics = new MediaMetrics(new Registry())
  const direct = connectForQueue(server.url, silent)
  stack.defer(() => direct.disconnect())
  const redis = connectRedis(server.url, silent)
  stack.defer(() => redis.disconnect())
  await redis.connect()
  const connection = connectForQueue(`unix:${path}`, silent)
  stack.defer(() => connection.disconnect())
  const queue = new Queue('parley-watched', { connection: direct, prefix: MEDIA_PREFIX })
  stack.defer(() => queue.close())
  const done: string[] = []
  let isHopeless = false
  stack.use(
    new WatchedWorker({
      ...{ queue, connection, redis, clock, log: silent, metrics, concurrency: () => 1 },
      process: async (run) => void done.push(run.name),
      cutOff: () => undefined,
      hopeless: () => {
        isHopeless = true
      },
    }),
  )
  await queue.add('first', {})
  await eventually(() => expect(done).toEqual(['first']), 10_000)

  // Its lines hear and are not heard: nothing that it asks for ever comes.
  const muted = line.loseReplies(1, 4_000, Dice.of(1, 'watched'))
  await queue.add('second', {}, { priority: 1 })
  const looked = async (times: number) => {
    for (let i = 0; i < times; i++) {
      clock.pass(10_000)
      // What it looks at comes from Redis.
      await queue.getJobCounts()
      await redis.ping()
    }
  }
  await looked(8)
  await eventually(async () => {
    const { values } = await metrics.recreated.get()
    expect(values.reduce((sum, { value }) => sum + value, 0)).toBeGreaterThanOrEqual(1)
  }, 5_000)
  await muted
  await eventually(() => expect(done).toContain('second'), 15_000)
  expect(isHopeless).toBe(false)
}, 40_000)
