import { assert, constantFrom, option, property, record, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  accountsOf,
  type LimitOverrides,
  NO_SECRET_LIMITS,
  NOTHING_ALLOWED,
  type ScopeLimits,
  userAccount,
} from '../../src/limits/accounts.ts'
import { type AccountLimits, UNLIMITED } from '../../src/limits/limits.ts'
import { nanoUsd, tokens } from '../../src/units.ts'

const NAMES = ['sessions', 'startsPerMinute', 'tokensPerMinute', 'budget', 'perDay', 'perMonth'] as const
const plan: ScopeLimits = {
  session: { ...UNLIMITED, budget: nanoUsd(2_000), tokensPerMinute: tokens(500) },
  user: { ...UNLIMITED, sessions: 2, perDay: nanoUsd(5_000) },
  tenant: { ...UNLIMITED, sessions: 100 },
}
const installation = { ...UNLIMITED, sessions: 5_000 }
const whose = { session: 's-1', user: 'ada@example.com', tenant: 'acme' }

/** Small numbers, so that ties and both orders are common. */
const limit = option(constantFrom(0, 1, 2, 3))
const limits = record(Object.fromEntries(NAMES.map((name) => [name, limit]))) as unknown as ReturnType<
  typeof record<AccountLimits>
>
const scopes = record<ScopeLimits>({ session: limits, user: limits, tenant: limits })
const overrides = record(
  {
    session: record(Object.fromEntries(NAMES.map((name) => [name, limit])), { requiredKeys: [] }),
    user: record(Object.fromEntries(NAMES.map((name) => [name, limit])), { requiredKeys: [] }),
    tenant: record(Object.fromEntries(NAMES.map((name) => [name, limit])), { requiredKeys: [] }),
  },
  { requiredKeys: [] },
) as unknown as ReturnType<typeof record<LimitOverrides>>
const secret = record({ budget: limit, tokensPerMinute: limit, maxDuration: limit }) as unknown as ReturnType<
  typeof record<typeof NO_SECRET_LIMITS>
>

describe('the accounts of a session', () => {
  test('L1 session, user, tenant and installation, in this order, each with its own limits', () => {
    const accounts = accountsOf({ installation, plan, tenant: {}, secret: null }, whose)
    expect(accounts.map(({ kind, id }) => [kind, id])).toEqual([
      ['session', 's-1'],
      ['user', userAccount('acme', 'ada@example.com')],
      ['tenant', 'acme'],
      ['installation', 'all'],
    ])
    expect(accounts.map((account) => account.limits)).toEqual([plan.session, plan.user, plan.tenant, installation])
  })

  test('L1 a session of nobody has no account of a user', () => {
    const accounts = accountsOf({ installation, plan, tenant: {}, secret: null }, { ...whose, user: null })
    expect(accounts.map(({ kind }) => kind)).toEqual(['session', 'tenant', 'installation'])
  })

  test('L1 a tenant overrides single numbers, null lifts one, and the rest is the plan’s', () => {
    const tenant = { tenant: { sessions: 7 }, user: { perDay: null } }
    const [session, user, own] = accountsOf({ installation, plan, tenant, secret: null }, whose)
    expect(session?.limits).toEqual(plan.session)
    expect(user?.limits).toEqual({ ...plan.user, perDay: null })
    expect(own?.limits).toEqual({ ...plan.tenant, sessions: 7 })
  })

  test('L1 a client secret lowers, and what it would raise stays', () => {
    const secret = { ...NO_SECRET_LIMITS, budget: nanoUsd(500), tokensPerMinute: tokens(9_999) }
    const [session] = accountsOf({ installation, plan, tenant: {}, secret }, whose)
    expect(session?.limits).toEqual({ ...plan.session, budget: 500, tokensPerMinute: 500 })
  })

  test('L1 no session may do more than its plan (with the tenant’s numbers in it), its secret and the installation say', () => {
    const most = (value: number | null | undefined) => value ?? Number.POSITIVE_INFINITY
    assert(
      property(limits, scopes, overrides, secret, (all, plan, tenant, secret) => {
        for (const { kind, limits: own } of accountsOf({ installation: all, plan, tenant, secret }, whose)) {
          for (const name of NAMES) {
            const said = kind === 'installation' ? undefined : tenant[kind]?.[name]
            const base = kind === 'installation' ? all[name] : said === undefined ? plan[kind][name] : said
            const asked = kind === 'session' && (name === 'budget' || name === 'tokensPerMinute') ? secret[name] : null
            expect(most(own[name])).toBe(Math.min(most(base), most(asked)))
          }
        }
      }),
    )
  })

  test('L1 any text is a user, no two tenants share one, and its account is a plain name', () => {
    const tenantName = constantFrom('a', 'b', 'a1')
    assert(
      property(tenantName, string({ unit: 'binary' }), tenantName, string({ unit: 'binary' }), (t1, u1, t2, u2) => {
        expect(userAccount(t1, u1)).toMatch(/^[A-Za-z0-9_-]{1,80}$/)
        const isSame = t1 === t2 && u1 === u2
        expect(userAccount(t1, u1) === userAccount(t2, u2)).toBe(isSame)
      }),
    )
  })

  test('L1 where no plan is left, nothing is allowed', () => {
    const [session] = accountsOf({ installation: UNLIMITED, plan: NOTHING_ALLOWED, tenant: {}, secret: null }, whose)
    expect(Object.values(session?.limits ?? {})).toEqual([0, 0, 0, 0, 0, 0])
  })
})
