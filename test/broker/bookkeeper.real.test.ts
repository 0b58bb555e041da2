import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { Bookkeeper } from '../../src/broker/money/bookkeeper.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { Metrics } from '../../src/metrics.ts'
import { RedisLimitStore } from '../../src/store/redis-limit-store.ts'
import { account, quiet, record, SimulatedLimits } from '../support/limits.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { LogLines, TempFolder } from '../support/parley.ts'
import { TestStore } from '../support/store.ts'

const settlement = (id: string) => ({
  record: record('s', id, 1_000, 10),
  accounts: [account('session', 's')],
  keep: null,
})

/** The same store, of which one method fails while it is away. */
function withOutage(real: RedisLimitStore, method: keyof LimitStore) {
  const flaky = { isAway: true, store: real }
  flaky.store = new Proxy(real, {
    get: (target, name) => {
      if (name === method && flaky.isAway) return () => Promise.reject(new Error('away'))
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return flaky
}

/** A Redis that nobody answers for. */
function nowhere(): RedisLimitStore {
  const redis = new Redis({ path: '/nowhere', lazyConnect: true, enableOfflineQueue: false })
  redis.on('error', () => undefined)
  return new RedisLimitStore(redis)
}

test('M3 the start of a response that could not be noted is noted when the store is back', async () => {
  await using redis = await TestStore.open()
  using folder = new TempFolder()
  const clock = new ManualClock()
  const limits = new SimulatedLimits(redis.store.redis)
  const flaky = withOutage(limits.store, 'running')
  await using keeper = new Bookkeeper('node', folder.path, flaky.store, clock, quiet, new Metrics())
  const accounts = [account('session', 's')]
  await limits.store.admit('s', accounts)
  await keeper.running({ session: 's', record: record('s', 'heard', 500, 10) })
  await keeper.running({ session: 's', record: record('s', 'over', 500, 10) })
  keeper.book({ record: record('s', 'over', 100, 10), accounts, keep: null })
  await keeper.settled('s')
  flaky.isAway = false
  clock.pass(1_000)
  const lease = `${limits.root}:lease:s`
  while ((await redis.store.redis.hexists(lease, 'running:s:heard')) === 0) await new Promise(setImmediate)
  expect(await redis.store.redis.hexists(lease, 'running:s:over')).toBe(0)
})

test('L4 what could not be given back while the store was away is given back as soon as it is there', async () => {
  await using redis = await TestStore.open()
  using folder = new TempFolder()
  const clock = new ManualClock()
  const limits = new SimulatedLimits(redis.store.redis)
  const flaky = withOutage(limits.store, 'release')
  await using keeper = new Bookkeeper('node', folder.path, flaky.store, clock, quiet, new Metrics())
  const accounts = [account('tenant', 't', { sessions: 1 })]
  await limits.store.admit('s', accounts)
  await keeper.release('s')
  expect(await limits.store.state(accounts)).toMatchObject([{ sessions: 1 }])
  flaky.isAway = false
  clock.pass(1_000)
  while ((await limits.store.state(accounts))[0]?.sessions !== 0) await new Promise(setImmediate)
})

test('M3 what a killed process left is settled by the next one of its folder, also one that starts at once', async () => {
  await using redis = await TestStore.open()
  using folder = new TempFolder()
  const clock = new ManualClock()
  const limits = new SimulatedLimits(redis.store.redis)
  // Killed before the store had it: nothing of it is disposed.
  new Bookkeeper('killed', folder.path, nowhere(), clock, quiet, new Metrics()).book(settlement('a'))

  await using next = new Bookkeeper('next', folder.path, limits.store, clock, quiet, new Metrics())
  const alive = new Set(['killed'])
  const asked = { times: 0, again: Promise.withResolvers<void>() }
  const isAlive = async (id: string) => {
    if (++asked.times === 3) asked.again.resolve()
    if (asked.times === 2) throw new Error('the store is away')
    return alive.has(id)
  }
  // Its lease in Redis has not run out yet; then Redis is away; then it has.
  expect(await next.recover(folder.path, isAlive)).toBe(0)
  clock.pass(5_000)
  alive.clear()
  while (asked.times < 3) {
    await new Promise(setImmediate)
    clock.pass(5_000)
  }
  await asked.again.promise
  await new Promise(setImmediate)
  await next.settled('s')
  expect((await limits.journal()).map(({ providerId }) => providerId)).toEqual(['a'])
  expect(readdirSync(folder.path)).toEqual(['unsettled-next.jsonl'])
})

test('M3 what is settled leaves the file within a second; a process killed before that books nothing twice', async () => {
  await using redis = await TestStore.open()
  using folder = new TempFolder()
  const clock = new ManualClock()
  const limits = new SimulatedLimits(redis.store.redis)
  const lines = (node: string) => readFileSync(join(folder.path, `unsettled-${node}.jsonl`), 'utf8')
  const killed = new Bookkeeper('killed', folder.path, limits.store, clock, quiet, new Metrics())
  killed.book(settlement('a'))
  await killed.settled('s')
  expect(lines('killed')).toContain('"a"')

  await using next = new Bookkeeper('next', folder.path, limits.store, clock, quiet, new Metrics())
  expect(await next.recover(folder.path, async () => false)).toBe(1)
  next.book(settlement('b'))
  await next.settled('s')
  expect((await limits.journal()).map(({ providerId }) => providerId)).toEqual(['a', 'b'])
  clock.pass(1_000)
  expect(lines('next')).toBe('')
})

test('M3 on a full disk what was bought is settled all the same, and the node says that it should get no more', async () => {
  await using redis = await TestStore.open()
  using folder = new TempFolder()
  const limits = new SimulatedLimits(redis.store.redis)
  // A device on which every write fails as on a full disk.
  const path = join(folder.path, 'unsettled-node.jsonl')
  symlinkSync('/dev/full', path)
  const logs = new LogLines()
  await using keeper = new Bookkeeper('node', folder.path, limits.store, new ManualClock(), logs.log, new Metrics())
  expect(keeper.unwell()).toBeNull()
  for (const id of ['one', 'two', 'three']) keeper.book(settlement(id))
  await keeper.settled('s')
  expect(await limits.store.state([account('session', 's')])).toMatchObject([{ tokensLastMinute: 30 }])
  expect(keeper.unwell()).toBe('the data folder takes no more (ENOSPC)')
  expect(logs.lines.filter((line) => line.includes('what was bought cannot be written'))).toHaveLength(1)
})

test('M3 a line that the disk takes only a part of leaves nothing behind, and the next one is whole', () => {
  using folder = new TempFolder()
  const path = join(folder.path, 'lines')
  const script = join(folder.path, 'fill.ts')
  const file = new URL('../../src/broker/money/settlement-file.ts', import.meta.url).href
  writeFileSync(
    script,
    `import { SettlementFile } from '${file}'
     process.on('SIGXFSZ', () => undefined)
     const file = new SettlementFile('${path}')
     const took = ['a'.repeat(300), 'b'.repeat(300), 'c'.repeat(100), 'd'.repeat(3_000)].map((line) => file.add(line))
     console.log(JSON.stringify({ took, failure: file.failure }))`,
  )
  // A file of at most 512 bytes: the second line is cut in the middle.
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -f 1; exec "$0" "$1"', process.execPath, script], {
    encoding: 'utf8',
  })
  expect(JSON.parse(stdout)).toMatchObject({ took: [true, false, true, false] })
  expect(readFileSync(path, 'utf8')).toBe(`${'a'.repeat(300)}\n${'c'.repeat(100)}\n`)
})
