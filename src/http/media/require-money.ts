import type { Principal } from '../../auth/principal.ts'
import { FaultError } from '../../faults.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import type { Account } from '../../limits/limits.ts'

export interface MoneyDeps {
  limits: LimitStore
  /** The accounts of a tenant; for null those of the installation. */
  accountsOf(principal: Principal | null): readonly Account[]
}

/**
 * Refuses work that could buy nothing now, so that nobody waits for a failure that is known already. What is left is judged
 * again, and in earnest, before every call. Throws `budget_spent`.
 */
export async function requireMoney({ limits, accountsOf }: MoneyDeps, principal: Principal): Promise<void> {
  const capped = [...accountsOf(principal), ...accountsOf(null)].filter(({ limits: { perDay, perMonth } }) => {
    return perDay !== null || perMonth !== null
  })
  if (capped.length === 0) return
  for (const { kind, limits: caps, money } of await limits.state(capped)) {
    const most = { budget: null, day: caps.perDay, month: caps.perMonth }
    const spent = money.find((entry) => entry.spent >= (most[entry.limit] ?? Number.POSITIVE_INFINITY))
    if (spent === undefined) continue
    const whose = kind === 'tenant' ? 'Your' : 'The installation’s'
    throw new FaultError('budget_spent', `${whose} money for this ${spent.limit} is used up.`)
  }
}
