import { once } from 'node:events'
import { createConnection } from 'node:net'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { EmbeddedRedis } from '../../src/store/embedded-redis.ts'
import { connectForQueue } from '../../src/store/redis.ts'
import { policy, silent, TempFolder } from '../support/parley.ts'

test('L7 what transactions and scripts wrote is there after the embedded Redis was killed, and nobody gets in unnamed', async () => {
  using folder = new TempFolder()
  const config = configFrom(policy(null, folder.path, { redis: { durability: 'strict' } }))
  await using embedded = await EmbeddedRedis.start(config, process.env.PATH, systemClock, silent)
  const redis = connectForQueue(embedded.address, silent)
  await redis.set('plain', '1')
  await redis.multi().set('in-transaction', '1').incr('count').exec()
  await redis.eval("redis.call('SET', 'in-script', '1') return redis.call('INCR', 'count')", 0)
  const before = embedded.pid
  process.kill(before ?? 0, 'SIGKILL')
  expect(await redis.mget('plain', 'in-transaction', 'in-script', 'count')).toEqual(['1', '1', '1', '2'])
  expect(embedded.pid).not.toBe(before)
  redis.disconnect()

  const stranger = createConnection(embedded.address.path)
  stranger.write('GET plain\r\n')
  const [answer] = (await once(stranger, 'data')) as [Buffer]
  expect(answer.toString()).toContain('-NOAUTH')
  stranger.destroy()
})
