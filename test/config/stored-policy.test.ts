import { describe, expect, test } from 'vitest'
import { configFrom } from '../../src/config/read-config.ts'
import { merged, type StoredPolicy, StoredTenant } from '../../src/config/stored-policy.ts'

const file = configFrom({
  plans: { default: {}, gold: { maxOutputTokens: 9 } },
  tenants: { acme: { plan: 'gold', suspended: true } },
})
const tenant = (settings: object) => StoredTenant.parse({ settings, keys: [], madeAt: 1 })
const stored = (tenants: [string, object][], plans: [string, unknown][] = []): StoredPolicy => ({
  revision: 1,
  tenants: new Map(tenants.map(([id, settings]) => [id, tenant(settings)])),
  plans: new Map(plans),
})

describe('the policy file and what is stored', () => {
  test('R4 where both name the same, the file holds; the rest is added', () => {
    const config = merged(
      file,
      stored(
        [
          ['acme', { plan: 'default' }],
          ['new', { plan: 'silver', limits: { user: { perDay: '$1' } } }],
        ],
        [
          ['gold', { maxOutputTokens: 1 }],
          ['silver', { limits: { session: { budget: '$3' } } }],
        ],
      ),
      (what) => expect.unreachable(what),
    )
    expect(config.tenants.get('acme')).toBe(file.tenants.get('acme'))
    expect(config.tenants.get('new')).toMatchObject({ plan: 'silver', limits: { user: { perDay: 1_000_000_000 } } })
    expect(config.plans.get('gold')?.ceilings.maxOutputTokens).toBe(9)
    expect(config.plans.get('silver')?.limits.session.budget).toBe(3_000_000_000)
    expect(file.tenants.size).toBe(1)
  })

  test('R4 what cannot be read is left out and named', () => {
    const named: string[] = []
    const config = merged(file, stored([['odd', { colour: 1 }]], [['strange', { tools: 'no' }]]), (what) =>
      named.push(what),
    )
    expect(named).toEqual(["plan 'strange'", "tenant 'odd'"])
    expect([config.tenants.has('odd'), config.plans.has('strange')]).toEqual([false, false])
  })
})
