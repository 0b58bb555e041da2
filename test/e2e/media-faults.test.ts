import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ms } from '../../src/units.ts'
import { eventually } from '../support/eventually.ts'
import { newJob } from '../support/jobs.ts'
import { finished, forAll, mediaWorld } from '../support/media-workers.ts'
import { PrivateRedis } from '../support/private-redis.ts'
import { TempFolder } from '../support/temp-folder.ts'

const CHILD = fileURLToPath(new URL('../support/media-worker-child.ts', import.meta.url))
/** Another has the job by then. */
const TAKEN_OVER_WITHIN_MS = 11_000

let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

async function worker(redis: string, folder: string, stuck: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [CHILD, redis, folder, String(stuck)], { stdio: ['ignore', 'pipe', 'inherit'] })
  stack.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  await once(child.stdout, 'data')
  return child
}

const linesOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])

test('Q3 a worker is killed in the middle of a job: another has it within 11 s, and does no part a second time', async () => {
  const redis = stack.use(await PrivateRedis.start())
  const folder = stack.use(new TempFolder()).path
  const world = await mediaWorld(redis.url, folder, stack)
  const doomed = await worker(redis.url, folder, 2)
  const job = newJob('acme', systemClock.now())
  await world.store.create(job, null, ms(100))
  await eventually(() => expect(linesOf(join(folder, 'done')).sort()).toEqual(['0', '1', '3']), 20_000)
  await eventually(() => expect(linesOf(join(folder, 'begun')).sort()).toEqual(['0', '1', '2', '3']), 20_000)

  await worker(redis.url, folder, -1)
  doomed.kill('SIGKILL')
  const killed = performance.now()
  const ended = await world.ended(job)
  expect(performance.now() - killed).toBeLessThan(TAKEN_OVER_WITHIN_MS)
  expect(ended).toMatchObject({ status: 'succeeded', attempt: 1, result: { json: { failed: 0 } } })
  expect(linesOf(join(folder, 'done')).sort()).toEqual(['0', '1', '2', '3'])
})

test('Q1 redis is killed under load and comes back with what it had: every job ends once', async () => {
  const redis = stack.use(await PrivateRedis.start(['--appendfsync', 'always']))
  const folder = stack.use(new TempFolder()).path
  const world = await mediaWorld(redis.url, folder, stack)
  const runs = new Map<string, number>()
  const processor = {
    run: async ({ id }: { id: string }) => {
      runs.set(id, (runs.get(id) ?? 0) + 1)
      return finished(null)
    },
  }
  stack.use(await world.workers(forAll(processor)))
  const jobs = Array.from({ length: 200 }, () => newJob('acme', systemClock.now()))
  const made = Promise.all(jobs.map((job) => world.store.create(job, null, ms(10))))
  await eventually(() => expect(runs.size).toBeGreaterThan(20), 20_000)
  await redis.kill()
  await redis.start()
  await made
  for (const job of jobs) expect(await world.ended(job)).toMatchObject({ status: 'succeeded', seq: 3 })
  await eventually(() => expect(new Set(world.news.map(({ id }) => id)).size).toBe(3 * jobs.length), 30_000)
})
