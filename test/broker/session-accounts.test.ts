import { describe, expect, test } from 'vitest'
import { accountsOfSession } from '../../src/broker/money/session-accounts.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { shortened } from '../../src/session/policy.ts'
import { SessionHead } from '../../src/store/session-records.ts'
import { minutes, ms, seconds } from '../../src/units.ts'
import { policy } from '../support/policies.ts'

const config = configFrom({
  limits: { sessions: 9 },
  plans: { default: { limits: { session: { budget: '$2' } } }, old: { limits: { session: { budget: '$5' } } } },
  tenants: { acme: { limits: { tenant: { sessions: 4 } } } },
})

/** A head as it is read back from its record. */
function head(changes: object = {}, limits?: object): SessionHead {
  const grant = { session: {}, unlocked: [], ...(limits === undefined ? {} : { limits }) }
  const record = {
    ...{
      id: 's',
      tenant: 'acme',
      keyId: 'k',
      user: 'u',
      model: 'm',
      served: 'm',
      maxOutputTokens: null,
      kind: 'conversation',
      plan: 'default',
    },
    ...{ admitted: 0, maxDuration: 1, resumeWindow: null, origin: null, grant },
    ...changes,
  }
  return SessionHead.parse(JSON.parse(JSON.stringify(record)))
}
const budgetOf = (of: SessionHead, from = config) => accountsOfSession(from, of)[0]?.limits.budget

describe('the accounts of a running session', () => {
  test('L1 come from the installation, its plan, its tenant and its secret, which survives in the record', () => {
    const limits = { budget: 500_000_000, tokensPerMinute: null, maxDuration: null }
    const [session, , tenant, all] = accountsOfSession(config, head({}, limits))
    expect(session?.limits.budget).toBe(500_000_000)
    expect(tenant).toMatchObject({ id: 'acme', limits: { sessions: 4 } })
    expect(all?.limits.sessions).toBe(9)
  })

  test('L1 a record from before secrets had limits, and a session with a key of its own, have the plan’s', () => {
    expect([budgetOf(head()), budgetOf(head({ grant: null }))]).toEqual([2_000_000_000, 2_000_000_000])
  })

  test('L1 a plan that is gone is replaced by the tenant’s present one; without a tenant nothing is allowed', () => {
    expect(budgetOf(head({ plan: 'old' }))).toBe(5_000_000_000)
    expect(budgetOf(head({ plan: 'gone' }))).toBe(2_000_000_000)
    expect(budgetOf(head({ plan: 'gone', tenant: 'nobody' }))).toBe(0)
  })
})

describe('a shortened session', () => {
  test('S2 keeps what still lies within its length, and loses what does not', () => {
    const long = { ...policy, wrapUp: { before: seconds(20), instructions: 'Bye.', maxOutputTokens: 100 } }
    expect(shortened(long, seconds(15))).toEqual({
      ...long,
      maxDuration: 15_000,
      durationWarnings: [10_000],
      wrapUp: null,
    })
    expect(shortened(long, seconds(30)).wrapUp).toBe(long.wrapUp)
    for (const most of [null, minutes(10), minutes(11), ms(policy.maxDuration)])
      expect(shortened(long, most)).toBe(long)
  })
})
