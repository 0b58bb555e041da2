import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { Store } from '../../src/store/store.ts'
import { MediaCaller } from '../support/media-caller.ts'
import { Parley, policy, silent, TempFolder } from '../support/parley.ts'
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
})
