import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type JobCommand, type JobState, transition } from '../../../src/media/job-state.ts'
import { fixedFields } from '../../../src/store/jobs/job-record.ts'
import { type JobScripts, withJobScripts } from '../../../src/store/jobs/job-scripts.ts'
import { keys } from '../../../src/store/keys.ts'
import { connectForQueue } from '../../../src/store/redis.ts'
import { instant } from '../../../src/units.ts'
import { made, type Plot, plot } from '../../support/job-play.ts'
import { newJob } from '../../support/jobs.ts'
import { silent } from '../../support/parley.ts'
import { TestStore } from '../../support/store.ts'

const RUNS = 1_000
const AT_ONCE = 32
/** Any present will do: time is told to the scripts. */
const BEGIN = 1_700_000_000_000

let own: TestStore
let redis: Redis & JobScripts
beforeAll(async () => {
  own = await TestStore.open()
  redis = withJobScripts(connectForQueue(own.store.place, silent))
})
afterAll(async () => {
  redis.disconnect()
  await own[Symbol.asyncDispose]()
})

test('Q1 1,000 random lives: the store does what the rules say, step by step, and every change is told once', async () => {
  const seed = Date.now()
  const plots = fc.sample(plot, { numRuns: RUNS, seed })
  const player = async () => {
    for (let next = plots.pop(); next !== undefined; next = plots.pop()) await play(next, seed)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, player))
}, 120_000)

async function play(scene: Plot, seed: number): Promise<void> {
  const tenant = `t${randomUUID().replaceAll('-', '').slice(0, 20)}`
  const root = keys.tenant(tenant)
  let now = BEGIN
  let state = made(scene, instant(now))
  const job = newJob(tenant, instant(now), { deadline: state.deadline, expiresAt: state.expiresAt, runAt: state.runAt })
  const common = () => [now, 60_000, 60_000] as const
  const times = [now, state.runAt ?? '', state.expiresAt, state.deadline ?? '']
  await redis.jobCreate(root, ...common(), job.id, '', '', 0, -1, ...times, '', '', '', 0, ...fixedFields(job, 1))
  await redis.hset(`${root}:job:${job.id}`, 'longest', scene.rules.longest)

  const told: string[] = []
  for (const { wait, command } of scene.moves) {
    now += wait
    const step = transition(state, command, scene.rules, instant(now))
    state = step.state
    told.push(JSON.stringify({ wait, command }))
    const context = `seed ${seed}: ${JSON.stringify(scene.rules)} ${scene.runIn} ${told.join(' ')}`
    expect(await perform(command), context).toBe(step.answer)
    expect(await stored(root, job.id), context).toEqual(asStored(state))
  }

  async function perform(command: JobCommand): Promise<string> {
    const { maxAttempts, mostStarts, lease } = scene.rules
    switch (command.type) {
      case 'start': {
        const args = [job.id, command.dispatch, command.token, -1, lease, mostStarts]
        const [type] = await redis.jobStart(root, ...common(), ...args)
        return type === 'started' ? 'done' : type
      }
      case 'beat':
        return (await redis.jobBeat(root, ...common(), job.id, command.token, lease))[0] === 1 ? 'done' : 'lost'
      case 'hand_over':
        return (await redis.jobHandOver(root, ...common(), job.id, command.token)) === 1 ? 'done' : 'lost'
      case 'postpone':
        return redis.jobPostpone(root, ...common(), job.id, command.token, '{}', 0, maxAttempts)
      case 'end': {
        const args = [job.id, command.token, command.status, '', '', '', '']
        return (await redis.jobEnd(root, ...common(), ...args)) === 1 ? 'done' : 'lost'
      }
      case 'cancel':
        await redis.jobCancel(root, ...common(), job.id)
        return 'done'
      case 'retry': {
        const [type] = await redis.jobRetry(root, ...common(), job.id, randomUUID())
        return type === 'retried' ? 'done' : type
      }
      case 'look':
        await redis.jobSweep(root, ...common(), 10)
        return 'done'
    }
  }
}

/** What the keys say, in the model's words. */
async function stored(root: string, id: string): Promise<unknown> {
  const [raw, alarm, lease, ready, again, news] = await Promise.all([
    redis.hgetall(`${root}:job:${id}`),
    redis.zscore(`${root}:jobs:alarms`, id),
    redis.zscore(`${root}:jobs:slots`, id),
    redis.zscore(`${root}:jobs:ready`, id),
    redis.zscore(`${root}:jobs:ready:again`, id),
    redis.zcard(`${root}:jobs:news`),
  ])
  const text = (name: string) => (raw[name] === undefined || raw[name] === '' ? null : raw[name])
  const number = (name: string) => (text(name) === null ? null : Number(text(name)))
  return {
    status: raw.status,
    attempt: number('attempt'),
    tries: number('tries'),
    starts: number('starts'),
    dispatch: number('dispatch'),
    seq: number('seq'),
    cancelRequested: raw.cancel === '1',
    isLate: raw.late === '1',
    isHandedOver: raw.handed === '1',
    holder: text('token'),
    endedBy: text('endedBy'),
    postponedBy: text('postponedBy'),
    runAt: number('runAt'),
    expiresAt: number('expiresAt'),
    deadline: number('deadline'),
    mustEnd: number('mustEnd'),
    alarm: alarm === null ? null : Number(alarm),
    lease: lease === null ? null : Number(lease),
    isReady: ready !== null || again !== null,
    news,
  }
}

function asStored(state: JobState): unknown {
  // Nobody announces that a job has been scheduled.
  const news = state.seq - (state.runAt === null ? 0 : 1)
  return { ...state, isReady: state.status === 'queued', news }
}
