import { fork } from 'node:child_process'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { Journal } from '../../src/ledger/journal.ts'
import { JournalReader, type JournalReaderDeps } from '../../src/ledger/journal-reader.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { LedgerMetrics } from '../../src/ledger/ledger-metrics.ts'
import { startLedgerWork } from '../../src/ledger/ledger-work.ts'
import { openLedger } from '../../src/ledger/open-ledger.ts'
import { dayOf } from '../../src/ledger/period.ts'
import { compare, Reconciler } from '../../src/ledger/reconcile.ts'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { EmbeddedRedis } from '../../src/store/embedded-redis.ts'
import { keys } from '../../src/store/keys.ts'
import { connectForJournal } from '../../src/store/redis.ts'
import { nanoUsd } from '../../src/units.ts'
import { ALL } from '../contract/ledger-contract.ts'
import { nameOf, PlainCounters } from '../support/counters.ts'
import { LogLines, policy, silent, TempFolder } from '../support/parley.ts'
import { posted, record } from '../support/records.ts'

const INSTALLATION = nameOf({ kind: 'installation' })
const now = systemClock.now()
/** Records of sess_<name>, of 1,000 nano-dollars each, booked now. */
const some = (name: string, n: number): LedgerRecord[] =>
  Array.from({ length: n }, (_, i) => record({ session: `sess_${name}`, providerId: `resp_${i}`, at: now }))

/** Every counter there is. */
async function scan(redis: Redis): Promise<string[]> {
  const found: string[] = []
  for await (const some of redis.scanStream({ match: 'test:*' })) found.push(...(some as string[]))
  return found
}

describe('the reader of the journal', () => {
  let stack: AsyncDisposableStack
  let folder: TempFolder
  let embedded: EmbeddedRedis
  let ledger: Ledger
  const connect = () => {
    const redis = connectForJournal(embedded.address, silent)
    stack.defer(() => redis.disconnect())
    return redis
  }
  beforeEach(async () => {
    stack = new AsyncDisposableStack()
    folder = stack.use(new TempFolder())
    embedded = stack.use(
      await EmbeddedRedis.start(configFrom(policy(null, folder.path)), process.env.PATH, systemClock, silent),
    )
    ledger = stack.use(await openLedger({ type: 'sqlite', file: join(folder.path, 'ledger.db') }, silent))
  })
  afterEach(() => stack.disposeAsync())

  /** A reader on a connection of its own, and the other ends of what it works with. */
  const reading = (name: string, change: Partial<JournalReaderDeps> = {}) => {
    const redis = connect()
    const metrics = new LedgerMetrics(new Registry())
    const deps: JournalReaderDeps = {
      clock: systemClock,
      log: silent,
      journal: new Journal(redis),
      ledger,
      counters: new PlainCounters(redis),
      nameOf,
      metrics,
      name,
      ...change,
    }
    return { redis, metrics, reader: new JournalReader(deps) }
  }
  /** The same ledger, with something happening around its appending. */
  const withAppend = (append: Ledger['append']): Ledger => ({
    id: ledger.id,
    append,
    sums: (query) => ledger.sums(query),
    list: (query) => ledger.list(query),
    find: (ids) => ledger.find(ids),
    spent: (account, period) => ledger.spent(account, period),
    spenders: (kind, period, most) => ledger.spenders(kind, period, most),
    [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose](),
  })
  const booked = async () => (await ledger.sums(ALL))[0]?.requests ?? 0
  const until = async (holds: () => Promise<boolean>) => {
    // Everybody else in this process gets a turn between two looks.
    while (!(await holds())) await setImmediate()
  }

  test('M3 what is booked gets into the ledger, and out of the journal once it is there', async () => {
    const counters = new PlainCounters(connect())
    const journal = new Journal(connect())
    await counters.book(posted(...some('a', 450)))
    const { reader, metrics } = reading('one')
    await until(async () => (await booked()) === 450)
    await counters.book(posted(...some('b', 5)))
    await until(async () => (await journal.state()).length === 0)
    await reader.stop()
    expect(await booked()).toBe(455)
    expect((await metrics.booked.get()).values[0]?.value).toBe(455)
    expect(await counters.spentOf(INSTALLATION, dayOf(now))).toBe(455_000)
    expect(await ledger.spent({ kind: 'installation' }, dayOf(now))).toBe(455_000)
  })

  test('M3 a process that is told to stop empties the journal first', async () => {
    const counters = new PlainCounters(connect())
    const metrics = new LedgerMetrics(new Registry())
    const place = embedded.address
    const deps = { clock: systemClock, log: silent, place, ledger, counters, nameOf, metrics, name: 'one' }
    const work = startLedgerWork({ ...deps, tenants: () => [] })
    await counters.book(posted(...some('a', 1)))
    await until(async () => (await booked()) === 1)
    await counters.book(posted(...some('b', 900)))
    await work[Symbol.asyncDispose]()
    expect(await booked()).toBe(901)
    const redis = connect()
    expect((await new Journal(redis).state()).length).toBe(0)
    expect(await redis.xinfo('CONSUMERS', keys.journal(keys.limits), 'ledger')).toEqual([])
  })

  test('M3 a reader that dies between the commit and the acknowledgement books nothing twice', async () => {
    const counters = new PlainCounters(connect())
    await counters.book(posted(...some('a', 30)))
    const first = reading('one', {
      ledger: withAppend(async (batch) => {
        const fresh = await ledger.append(batch)
        first.redis.disconnect()
        return fresh
      }),
    })
    await until(async () => (await booked()) === 30)
    await first.reader.stop()
    const journal = new Journal(connect())
    expect((await journal.state()).length).toBe(30)

    const second = reading('two', { deadAfter: 0 })
    await until(async () => (await journal.state()).length === 0)
    await second.reader.stop()
    expect((await second.metrics.booked.get()).values[0]?.value).toBe(0)
    expect((await ledger.sums(ALL))[0]).toMatchObject({ requests: 30, cost: 30_000 })
  })

  test('M3 readers that are killed at any moment lose nothing and book nothing twice', async () => {
    const counters = new PlainCounters(connect())
    const journal = new Journal(connect())
    const file = new URL('../support/journal-reader-child.ts', import.meta.url)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 10; i++) await counters.book(posted(...some(`${round}-${i}`, 40)))
      const child = fork(file, [JSON.stringify(embedded.address), folder.path, `child-${round}`], { execArgv: [] })
      const gone = new Promise((resolve) => child.once('exit', resolve))
      const before = await booked()
      await until(async () => (await booked()) > before)
      child.kill('SIGKILL')
      await gone
    }
    const { reader } = reading('last', { deadAfter: 0 })
    await until(async () => (await journal.state()).length === 0)
    await reader.stop()
    expect((await ledger.sums(ALL))[0]).toMatchObject({ requests: 1_200, cost: 1_200_000 })
  })

  test('M3 two readers at once share the work and book every record once, through a restart of Redis', async () => {
    const counters = new PlainCounters(connect())
    const journal = new Journal(connect())
    const readers = [reading('one', { deadAfter: 500 }), reading('two', { deadAfter: 500 })]
    for (let i = 0; i < 20; i++) {
      await counters.book(posted(...some(`a${i}`, 40)))
      if (i === 10) process.kill(embedded.pid ?? 0, 'SIGKILL')
    }
    await until(async () => (await journal.state()).length === 0)
    for (const { reader } of readers) await reader.stop()
    // A transaction whose answer was lost is sent again: the ledger tells the two apart by their ids.
    expect((await ledger.sums(ALL))[0]).toMatchObject({ requests: 800, cost: 800_000 })
  })

  test('L7 while the ledger is away the journal keeps everything', async () => {
    const counters = new PlainCounters(connect())
    const journal = new Journal(connect())
    let isAway = true
    const asked = Promise.withResolvers<void>()
    const { reader, metrics } = reading('one', {
      ledger: withAppend(async (batch) => {
        if (!isAway) return ledger.append(batch)
        asked.resolve()
        throw new Error('disk full')
      }),
    })
    await counters.book(posted(...some('a', 10)))
    await asked.promise
    expect((await journal.state()).length).toBe(10)
    isAway = false
    await until(async () => (await journal.state()).length === 0)
    await reader.stop()
    expect(await booked()).toBe(10)
    expect((await metrics.failures.get()).values[0]?.value).toBeGreaterThan(0)
  })

  test('M3 an entry that is no record is put aside and holds nobody up', async () => {
    const redis = connect()
    await redis.xadd(keys.journal(keys.limits), '*', 'record', '{"cost":"a lot"}')
    await redis.xadd(keys.journal(keys.limits), '*', 'record', JSON.stringify(record({ cost: 0.5 as never })))
    await new PlainCounters(redis).book(posted(...some('a', 1)))
    const { reader, metrics } = reading('one')
    await until(async () => (await booked()) === 1)
    await reader.stop()
    expect(await redis.xlen(keys.journalRefused(keys.limits))).toBe(2)
    expect((await new Journal(redis).state()).length).toBe(0)
    expect((await metrics.refused.get()).values[0]?.value).toBe(2)
  })

  test('L7 counters that Redis has lost are rebuilt, while sessions go on booking', async () => {
    const counters = new PlainCounters(connect())
    const redis = connect()
    const first = reading('one')
    await counters.book(posted(...some('a', 50), record({ user: 'ann', session: 'sess_u', at: now })))
    await until(async () => (await booked()) === 51)
    await first.reader.stop()
    for (const key of [...(await scan(redis)), keys.ledger(keys.limits), keys.journal(keys.limits)]) {
      await redis.del(key)
    }
    const spent = () => counters.spentOf(INSTALLATION, dayOf(now))
    await counters.book(posted(...some('b', 3)))
    expect(await spent()).toBe(3_000)

    const busy = (async () => {
      for (let i = 0; i < 40; i++) await counters.book(posted(...some(`c${i}`, 1)))
    })()
    const readers = [reading('two'), reading('three')]
    await busy
    await until(async () => (await booked()) === 94)
    for (const { reader } of readers) await reader.stop()
    expect(await spent()).toBe(94_000)
    expect(await counters.spentOf(nameOf({ kind: 'user', tenant: 'acme', user: 'ann' }), dayOf(now))).toBe(1_000)
  })

  test('M3 a journal that belongs to another ledger is left alone', async () => {
    const redis = connect()
    const lines = new LogLines()
    await redis.set(keys.ledger(keys.limits), 'another')
    await new PlainCounters(redis).book(posted(...some('a', 1)))
    const { reader } = reading('one', { log: lines.log })
    await until(async () => lines.lines.some((line) => line.includes('belongs to the ledger another')))
    await reader.stop()
    expect(await booked()).toBe(0)
    expect((await new Journal(redis).state()).length).toBe(1)
  })

  test('M3 a counter that differs from the ledger is told at rest, and not while something waits', async () => {
    const redis = connect()
    const counters = new PlainCounters(redis)
    const journal = new Journal(redis)
    const metrics = new LedgerMetrics(new Registry())
    const lines = new LogLines()
    const tenants = () => ['acme', 'zenith']
    const deps = { clock: systemClock, log: lines.log, ledger, journal, counters, nameOf, metrics, tenants }
    await counters.book(posted(...some('a', 3)))
    expect(await compare(deps)).toBeNull()
    const { reader } = reading('one')
    await until(async () => (await journal.state()).length === 0)
    await reader.stop()
    using reconciler = new Reconciler(deps)
    expect(await reconciler.pass()).toEqual([])
    await counters.setSpent(nameOf({ kind: 'tenant', tenant: 'zenith' }), dayOf(systemClock.now()), nanoUsd(7))
    expect(await reconciler.pass()).toMatchObject([{ account: { tenant: 'zenith' }, drift: 7 }])
    expect((await metrics.drift.get()).values).toContainEqual({ labels: { period: 'day' }, value: 7 })
    expect(lines.lines.filter((line) => line.includes('a counter differs'))).toHaveLength(1)
  })
})
