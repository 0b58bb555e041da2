import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { EmbeddedRedis } from '../../src/store/embedded-redis.ts'
import { policy, silent, TempFolder } from '../support/parley.ts'

const start = (folder: TempFolder) =>
  EmbeddedRedis.start(configFrom(policy(null, folder.path)), process.env.PATH, systemClock, silent)

test('R1 what commands, transactions and scripts have written is there when the server starts again', async () => {
  using folder = new TempFolder()
  for (const round of [1, 2]) {
    await using server = await start(folder)
    const redis = new Redis(server.address)
    if (round === 1) {
      await redis.set('plain', '1')
      await redis.multi().set('in-transaction', '1').pexpire('in-transaction', 60_000).exec()
      await redis.eval("redis.call('SET', KEYS[1], '1') redis.call('SET', KEYS[2], '1')", 2, 'script-a', 'script-b')
    }
    expect(await redis.mget('plain', 'in-transaction', 'script-a', 'script-b')).toEqual(['1', '1', '1', '1'])
    redis.disconnect()
  }
})

test('R1 nobody without its password can do anything', async () => {
  using folder = new TempFolder()
  await using server = await start(folder)
  for (const credentials of [{}, { username: 'default', password: '' }, { username: 'default', password: 'x' }]) {
    const redis = new Redis({ path: server.address.path, ...credentials, retryStrategy: () => null })
    redis.on('error', () => undefined)
    await expect(redis.get('plain')).rejects.toThrow()
    redis.disconnect()
  }
})

test('R1 a process that took the number of a server left behind is not ended in its place', async () => {
  using folder = new TempFolder()
  using elsewhere = new TempFolder()
  const foreign = spawn('redis-server', ['--port', '0', '--unixsocket', join(elsewhere.path, 'redis.sock')], {
    cwd: elsewhere.path,
    stdio: 'ignore',
  })
  await once(foreign, 'spawn')
  const data = join(folder.path, 'redis')
  mkdirSync(data, { recursive: true })
  writeFileSync(join(data, 'server.pid'), String(foreign.pid))
  await using server = await start(folder)
  expect(server.isHealthy).toBe(true)
  expect(foreign.exitCode ?? foreign.signalCode).toBeNull()
  foreign.kill('SIGKILL')
})

test.runIf(process.platform === 'linux')(
  'S7 Ctrl-C at a terminal, which reaches every process of a group, leaves the server to sessions that drain',
  async () => {
    using folder = new TempFolder()
    await using server = await start(folder)
    // After the name in brackets: state, parent, process group.
    const [, , group] = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    expect(group).toBe(String(server.pid))
  },
)
