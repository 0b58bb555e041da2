import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Account } from '../../src/limits/limits.ts'
import type { Store } from '../../src/store/store.ts'
import { instant } from '../../src/units.ts'
import { account, hold, openStore, record, SimulatedLimits } from '../support/limits.ts'
import { TempFolder } from '../support/temp-folder.ts'

const folder = new TempFolder()
let redis: Store
beforeAll(async () => {
  redis = await openStore(folder.path)
})
afterAll(async () => {
  await redis[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const S = 1_000
const reserve = (
  limits: SimulatedLimits,
  session: string,
  accounts: Account[],
  want: [money: number, tokens: number],
  least = want,
  standing = false,
) => limits.store.reserve({ session, accounts, want: hold(...want), least: hold(...least), standing })

describe('slots and starts', () => {
  test('L2 a session refused by one account takes no slot and no start in any other', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = account('tenant', 't', { sessions: 5, startsPerMinute: 5 })
    const full = account('installation', 'main', { sessions: 1 })
    await limits.store.admit('a', [full])
    const refused = await limits.store.admit('b', [tenant, full])
    expect(refused).toEqual({ ok: false, refusal: { account: 'installation', limit: 'sessions', wait: null } })
    expect((await limits.store.state([tenant]))[0]).toMatchObject({ sessions: 0, startsLastMinute: 0 })
  })

  test('L4 two nodes ask for the last slot at once: one of them gets it', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { sessions: 1 })]
    const other = limits.another()
    const answers = await Promise.all([limits.store.admit('a', tenant), other.admit('b', tenant)])
    expect(answers.map((answer) => answer.ok).sort()).toEqual([false, true])
  })

  test('L2 a session admitted twice after a lost reply has one slot and one start', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { sessions: 1, startsPerMinute: 1 })]
    expect((await limits.store.admit('a', tenant)).ok).toBe(true)
    expect((await limits.store.admit('a', tenant)).ok).toBe(true)
    expect((await limits.store.state(tenant))[0]).toMatchObject({ sessions: 1, startsLastMinute: 1 })
  })

  test('L1 starts in any 60 s stay within their limit, and the wait told is the wait there is', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { startsPerMinute: 2 })]
    await limits.store.admit('a', tenant)
    limits.pass(20 * S)
    await limits.store.admit('b', tenant)
    const refused = await limits.store.admit('c', tenant)
    expect(refused).toEqual({ ok: false, refusal: { account: 'tenant', limit: 'starts', wait: 41 * S } })
    limits.pass(41 * S - 1)
    expect((await limits.store.admit('c', tenant)).ok).toBe(false)
    limits.pass(1)
    expect((await limits.store.admit('c', tenant)).ok).toBe(true)
  })

  test('L5 nobody is admitted whose money is spent, and somebody is whose money is only held', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const user = [account('user', 'u', { perDay: 100 })]
    await reserve(limits, 'a', user, [100, 0])
    expect((await limits.store.admit('b', user)).ok).toBe(true)
    await limits.store.settle({ record: record('a', 'r1', 100, 0), accounts: user, keep: hold(0, 0) })
    const refused = await limits.store.admit('c', user)
    expect(refused).toEqual({ ok: false, refusal: { account: 'user', limit: 'day', wait: 12 * 3_600 * S } })
  })

  test('L4 slots of a session that stopped beating are free after 15 s, with nobody sweeping', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { sessions: 1 })]
    await limits.store.admit('a', tenant)
    limits.pass(10 * S)
    expect(await limits.store.beat(['a'])).toEqual([])
    limits.pass(15 * S - 1)
    expect((await limits.store.admit('b', tenant)).ok).toBe(false)
    limits.pass(1)
    expect((await limits.store.admit('b', tenant)).ok).toBe(true)
    expect(await limits.store.beat(['a', 'b'])).toEqual(['a'])
  })

  test('L4 a session that comes back late finds its slot as long as nobody else has needed it', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { sessions: 1 })]
    await limits.store.admit('a', tenant)
    limits.pass(60 * S)
    expect((await limits.store.admit('a', tenant)).ok).toBe(true)
    expect(await limits.store.beat(['a'])).toEqual([])
    expect(await limits.store.reap(10)).toBe(0)
  })

  test('L4 beats of thousands of sessions keep every one of them', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't')]
    const sessions = Array.from({ length: 2_000 }, (_, i) => `s${i}`)
    await Promise.all(sessions.map((session) => limits.store.admit(session, tenant)))
    limits.pass(14 * S)
    expect(await limits.store.beat([...sessions, 'stranger'])).toEqual(['stranger'])
    limits.pass(14 * S)
    expect(await limits.store.reap(10_000)).toBe(0)
    limits.pass(1 * S)
    expect(await limits.store.reap(10_000)).toBe(2_000)
    expect((await limits.store.state(tenant))[0]?.sessions).toBe(0)
  })

  test('L4 a session released twice gives back once', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { sessions: 2, perDay: 100 })]
    await limits.store.admit('a', tenant)
    await limits.store.admit('b', tenant)
    await reserve(limits, 'a', tenant, [30, 0])
    await reserve(limits, 'b', tenant, [30, 0])
    await limits.store.release('a')
    await limits.store.release('a')
    const [state] = await limits.store.state(tenant)
    expect(state?.sessions).toBe(1)
    expect(state?.money.map((m) => m.held)).toEqual([30, 30])
  })
})

describe('tokens', () => {
  test('L3 what is settled in the last minute and what is held never pass the limit together', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { tokensPerMinute: 100 })]
    expect(await reserve(limits, 'a', tenant, [0, 60])).toMatchObject({ ok: true, held: hold(0, 60) })
    expect(await reserve(limits, 'b', tenant, [0, 60], [0, 20])).toMatchObject({ ok: true, held: hold(0, 40) })
    const settled = await limits.store.settle({ record: record('a', 'r1', 0, 50), accounts: tenant, keep: hold(0, 60) })
    expect(settled).toMatchObject({ held: hold(0, 10), overdraft: hold(0, 0), room: { tokens: 0 } })
    await limits.store.settle({ record: record('b', 'r1', 0, 10), accounts: tenant, keep: hold(0, 0) })
    expect((await limits.store.state(tenant))[0]).toMatchObject({ tokensLastMinute: 60, tokensHeld: 10 })
  })

  test('L3 a refusal names the wait after which exactly the least fits, while others keep what they hold', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { tokensPerMinute: 100 })]
    await limits.store.settle({ record: record('x', 'r1', 0, 30), accounts: tenant, keep: null })
    limits.pass(10_500)
    await limits.store.settle({ record: record('x', 'r2', 0, 30), accounts: tenant, keep: null })
    await reserve(limits, 'a', tenant, [0, 40])
    const refused = await reserve(limits, 'b', tenant, [0, 50], [0, 31])
    expect(refused).toMatchObject({ ok: false, refusal: { account: 'tenant', limit: 'tokens', wait: 60_500 } })
    expect(await reserve(limits, 'b', tenant, [0, 30])).toMatchObject({ ok: false, refusal: { wait: 50_500 } })
    await limits.passBeating(50_499, ['a'])
    expect((await reserve(limits, 'b', tenant, [0, 30])).ok).toBe(false)
    limits.pass(1)
    expect((await reserve(limits, 'b', tenant, [0, 30])).ok).toBe(true)
  })

  test('L3 a second that is still partly within the minute counts whole, though the one before it has just aged', async () => {
    const limits = new SimulatedLimits(redis.redis, Date.UTC(2026, 10, 25, 12) + 900)
    const tenant = [account('tenant', 't', { tokensPerMinute: 100 })]
    await limits.store.settle({ record: record('x', 'r1', 0, 50), accounts: tenant, keep: null })
    limits.pass(1 * S)
    await limits.store.settle({ record: record('x', 'r2', 0, 50), accounts: tenant, keep: null })
    limits.pass(59 * S + 600)
    expect((await reserve(limits, 'a', tenant, [0, 51])).ok).toBe(false)
    expect((await reserve(limits, 'a', tenant, [0, 50])).ok).toBe(true)
    limits.pass(500)
    expect((await reserve(limits, 'a', tenant, [0, 100])).ok).toBe(true)
  })

  test('L3 no wait is promised for tokens that others hold, nor for more than the limit', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { tokensPerMinute: 100 })]
    await reserve(limits, 'a', tenant, [0, 80])
    expect(await reserve(limits, 'b', tenant, [0, 30])).toMatchObject({ refusal: { limit: 'tokens', wait: null } })
    expect(await reserve(limits, 'c', tenant, [0, 101])).toMatchObject({ refusal: { limit: 'tokens', wait: null } })
  })

  test('L3 the account says when one more token fits', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { tokensPerMinute: 100 })]
    await limits.store.settle({ record: record('x', 'r1', 0, 99), accounts: tenant, keep: null })
    expect((await limits.store.state(tenant))[0]?.tokensRefillAt).toBeNull()
    await limits.store.settle({ record: record('x', 'r2', 0, 1), accounts: tenant, keep: null })
    expect((await limits.store.state(tenant))[0]?.tokensRefillAt).toBe(limits.now + 61 * S)
  })
})

describe('money', () => {
  test('L5 two nodes reach for the last dollar at once: it is given out once', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { perDay: 1_000_000_000 })]
    const ask = { accounts: tenant, want: hold(1_000_000_000, 0), least: hold(1, 0), standing: false }
    const other = limits.another()
    const answers = await Promise.all([
      limits.store.reserve({ session: 'a', ...ask }),
      other.reserve({ session: 'b', ...ask }),
    ])
    expect(answers.filter((answer) => answer.ok)).toHaveLength(1)
  })

  test('L2 the tightest of all accounts decides, and a refusal changes nothing', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const accounts = [
      account('session', 's', { budget: 50 }),
      account('user', 'u', { perDay: 200 }),
      account('tenant', 't', { perMonth: 120, tokensPerMinute: 40 }),
    ]
    await reserve(limits, 'other', accounts.slice(2), [90, 0])
    expect(await reserve(limits, 's', accounts, [60, 60], [20, 20])).toMatchObject({
      ok: true,
      held: hold(30, 40),
      room: { money: 0, tokens: 0 },
    })
    expect(await reserve(limits, 's', accounts, [60, 40], [31, 40])).toMatchObject({
      ok: false,
      refusal: { account: 'tenant', limit: 'month' },
    })
    const states = await limits.store.state(accounts)
    expect(states.map((state) => [state.money[0]?.held, state.tokensHeld])).toEqual([
      [30, 40],
      [30, 40],
      [120, 40],
    ])
  })

  test('L5 a reservation repeated, raised and lowered holds what was asked for last', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { perDay: 100, tokensPerMinute: 100 })]
    for (const want of [40, 40, 90, 10] as const) {
      expect(await reserve(limits, 'a', tenant, [want, want])).toMatchObject({ ok: true, held: hold(want, want) })
      expect((await limits.store.state(tenant))[0]).toMatchObject({ tokensHeld: want })
    }
  })

  test('L4 standing leases leave at least half of what is unspent to those who speak', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const tenant = [account('tenant', 't', { perDay: 100, tokensPerMinute: 100 })]
    expect(await reserve(limits, 'a', tenant, [40, 10], [40, 10], true)).toMatchObject({ ok: true })
    expect(await reserve(limits, 'b', tenant, [40, 10], [11, 10], true)).toMatchObject({ ok: false })
    expect(await reserve(limits, 'b', tenant, [40, 10], [10, 10], true)).toMatchObject({ held: hold(10, 10) })
    expect(await reserve(limits, 'c', tenant, [0, 31], [0, 31], true)).toMatchObject({
      ok: false,
      refusal: { limit: 'tokens' },
    })
    expect(await reserve(limits, 'c', tenant, [50, 80])).toMatchObject({ ok: true })
  })

  test('L5 a lease in other accounts than before holds nothing in the old ones', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const [one, two] = [account('user', 'one', { perDay: 100 }), account('user', 'two', { perDay: 100 })]
    await limits.store.admit('a', [one])
    await reserve(limits, 'a', [one], [60, 0])
    await reserve(limits, 'a', [two], [70, 0])
    const states = await limits.store.state([one, two])
    expect(states.map((state) => [state.sessions, state.money[0]?.held])).toEqual([
      [0, 0],
      [1, 70],
    ])
  })

  test.each([
    ['the last ms of a leap day', Date.UTC(2028, 1, 29, 23, 59, 59, 999), 1, 1],
    ['New Year', Date.UTC(2026, 11, 31, 12), 12 * 3_600 * S, 12 * 3_600 * S],
    ['the end of a February without a leap day', Date.UTC(2100, 1, 28), 24 * 3_600 * S, 24 * 3_600 * S],
    ['the middle of a month', Date.UTC(2026, 10, 25, 12), 12 * 3_600 * S, (12 + 5 * 24) * 3_600 * S],
  ])('L5 days and months end by UTC: %s', async (_, start, untilDay, untilMonth) => {
    const limits = new SimulatedLimits(redis.redis, start)
    const day = [account('user', 'u', { perDay: 100 })]
    const month = [account('tenant', 't', { perMonth: 100 })]
    await limits.store.settle({ record: record('a', 'r1', 100, 0), accounts: [...day, ...month], keep: null })
    expect(await reserve(limits, 'a', day, [1, 0])).toMatchObject({ refusal: { limit: 'day', wait: untilDay } })
    expect(await reserve(limits, 'b', month, [1, 0])).toMatchObject({ refusal: { limit: 'month', wait: untilMonth } })
    limits.now = instant(start + untilDay - 1)
    expect((await reserve(limits, 'a', day, [1, 0])).ok).toBe(false)
    limits.pass(1)
    expect((await reserve(limits, 'a', day, [100, 0])).ok).toBe(true)
    limits.now = instant(start + untilMonth - 1)
    expect((await reserve(limits, 'b', month, [1, 0])).ok).toBe(false)
    limits.pass(1)
    expect((await reserve(limits, 'b', month, [100, 0])).ok).toBe(true)
  })

  test('L5 the nearest budget by share spent is told, for warnings', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const accounts = [account('session', 's', { budget: 100 }), account('tenant', 't', { perDay: 1_000, perMonth: 90 })]
    const settled = await limits.store.settle({ record: record('s', 'r1', 81, 0), accounts, keep: null })
    expect(settled.level).toEqual({ account: 'tenant', limit: 'month', spent: 81, cap: 90 })
  })

  test('L5 amounts of millions of dollars stay exact to the nano-dollar', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const cap = 8_999_999_999_999_999
    const tenant = [account('tenant', 't', { perMonth: cap })]
    await reserve(limits, 'a', tenant, [cap - 1, 0])
    const settled = await limits.store.settle({
      record: record('a', 'r1', cap - 2, 0),
      accounts: tenant,
      keep: hold(cap, 0),
    })
    expect(settled).toMatchObject({ held: hold(1, 0), room: { money: 1 }, level: { spent: cap - 2, cap } })
  })

  test('L5 without a simulated time, day and second are those of Redis', async () => {
    const limits = new SimulatedLimits(redis.redis)
    const { RedisLimitStore } = await import('../../src/store/redis-limit-store.ts')
    const store = new RedisLimitStore(redis.redis, { root: limits.root })
    await store.settle({ record: record('a', 'r1', 5, 5), accounts: [account('tenant', 't')], keep: null })
    const [second] = await redis.redis.time()
    const date = new Date(Number(second) * 1_000).toISOString()
    const found = await redis.redis.get(`${limits.root}:spent:tenant:t:day:${date.slice(0, 10)}`)
    expect(found).toBe('5')
    expect((await store.state([account('tenant', 't')]))[0]?.tokensLastMinute).toBe(5)
  })
})
