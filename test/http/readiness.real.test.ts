import { setImmediate } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { Metrics } from '../../src/metrics.ts'
import { MemoryWatch } from '../../src/store/memory-watch.ts'
import { Store } from '../../src/store/store.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MediaCaller } from '../support/media-caller.ts'
import { LogLines, Parley, policy, silent, TempFolder } from '../support/parley.ts'
import { PrivateRedis } from '../support/private-redis.ts'

describe('readiness', () => {
  test('Q1 a node is unready while Redis is nearly full, and ready again when it is not', async () => {
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await PrivateRedis.start())
    const folder = stack.use(new TempFolder())
    const config = configFrom(policy(null, folder.path, { redis: { url: redis.url } }))
    const store = stack.use(await Store.open(config, process.env.PATH, systemClock, silent))
    const parley = stack.use(await Parley.start({ store }))
    const client = new Redis({ path: redis.url.slice('unix:'.length) })
    stack.defer(() => client.disconnect())
    const ready = async () => (await fetch(`${parley.url}/readyz`)).json() as Promise<{ status: string; why?: string }>
    const used = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
    await client.config('SET', 'maxmemory', String(Math.ceil(used * 1.05)))
    expect(await ready()).toEqual({ status: 'unready', why: 'redis is nearly full' })
    await client.config('SET', 'maxmemory', String(used * 2))
    expect(await ready()).toEqual({ status: 'ready' })
  })

  test('Q1 and while the disk has less than its reserve; then nothing is taken in either', async () => {
    await using parley = await Parley.start({ policy: { media: { uploads: { reserve: '4000000GiB' } } } })
    const answer = await fetch(`${parley.url}/readyz`)
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { status: 'unready', why: 'there is no room for media' },
    ])
    const refused = await new MediaCaller(parley).upload('x')
    expect([refused.status, refused.body]).toMatchObject([507, { code: 'storage_full', retryable: true }])
  })

  test('V4 an operator is told that Redis fills up before anything is refused for it', async () => {
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await PrivateRedis.start())
    const client = new Redis({ path: redis.url.slice('unix:'.length) })
    stack.defer(() => client.disconnect())
    const { storeMemory } = new Metrics()
    const logged = new LogLines()
    const clock = new ManualClock()
    using _watch = new MemoryWatch(client, clock, logged.log, storeMemory)
    const share = async () => (await storeMemory.get()).values[0]?.value ?? 0
    const seen = async (percent: number) => {
      const used = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
      await client.config('SET', 'maxmemory', String(Math.ceil((used * 100) / percent)))
      clock.pass(10_000)
      while (Math.abs((await share()) - percent / 100) > 0.02) await setImmediate()
    }
    await seen(60)
    expect(logged.lines).toEqual([])
    await seen(75)
    await seen(80)
    expect(logged.lines).toHaveLength(1)
    expect(JSON.parse(logged.lines[0] ?? '')).toMatchObject({ level: 40 })
    await seen(50)
    await seen(75)
    expect(logged.lines.map((line) => JSON.parse(line).level)).toEqual([40, 30, 40])
  })
})
