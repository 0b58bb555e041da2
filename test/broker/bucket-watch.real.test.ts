import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BucketWatch } from '../../src/broker/money/bucket-watch.ts'
import { type Account, UNLIMITED } from '../../src/limits/limits.ts'
import { RedisLimitStore } from '../../src/store/redis-limit-store.ts'
import type { SessionHead } from '../../src/store/session-records.ts'
import { nanoUsd, tokens } from '../../src/units.ts'
import { TestStore } from '../support/store.ts'

const headOf = (id: string) => ({ id, tenant: 'acme' }) as SessionHead
const accountsOf = ({ id, tenant }: SessionHead): Account[] => [
  { kind: 'session', id, limits: { ...UNLIMITED, budget: nanoUsd(100) } },
  { kind: 'tenant', id: tenant, limits: { ...UNLIMITED, tokensPerMinute: tokens(1_000) } },
  { kind: 'installation', id: 'all', limits: UNLIMITED },
]

describe('buckets of many sessions', () => {
  const stack = new AsyncDisposableStack()
  let store: RedisLimitStore
  beforeAll(async () => {
    store = new RedisLimitStore(stack.use(await TestStore.open()).store.redis)
  })
  afterAll(() => stack.disposeAsync())

  test('V2 sessions take turns: what was seen of one stays until it is its turn again, and goes with it', async () => {
    const watch = new BucketWatch(store, accountsOf)
    const heads = Array.from({ length: 300 }, (_, i) => headOf(`session-${i}`))
    const seen = (at: number) => watch.of(`session-${at}`)
    await watch.look(heads)
    expect(seen(0)).toEqual({
      rate: { account: 'tenant', limit: 'tokens', cap: 1_000, used: 0 },
      money: { account: 'session', limit: 'budget', cap: 100, used: 0 },
    })
    expect(seen(299)).toEqual({ rate: null, money: null })
    await watch.look(heads)
    expect(seen(0).rate).not.toBeNull()
    expect(seen(299).rate).not.toBeNull()
    await store.reserve({
      session: 'session-1',
      accounts: accountsOf(headOf('session-1')),
      want: { money: nanoUsd(30), tokens: tokens(400) },
      least: { money: nanoUsd(1), tokens: tokens(1) },
      standing: false,
    })
    await watch.look(heads.slice(1))
    expect(seen(0)).toEqual({ rate: null, money: null })
    expect(seen(1)).toMatchObject({ rate: { used: 400 }, money: { used: 30 } })
  })
})
