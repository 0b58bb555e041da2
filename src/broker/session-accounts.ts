import type { Config } from '../config/config.ts'
import { accountsOf, NOTHING_ALLOWED } from '../limits/accounts.ts'
import type { Account } from '../limits/limits.ts'
import type { SessionHead } from '../store/session-records.ts'

/**
 * The accounts that a session is judged against, with the limits that are in force now. A plan that is gone meanwhile is
 * replaced by the tenant's present one; a tenant that has none is allowed nothing, never everything.
 */
export function accountsOfSession(config: Config, { id, user, tenant, plan, grant }: SessionHead): Account[] {
  const owner = config.tenants.get(tenant)
  const present = config.plans.get(plan) ?? config.plans.get(owner?.plan ?? '')
  const sources = {
    installation: config.limits,
    plan: present?.limits ?? NOTHING_ALLOWED,
    tenant: present === undefined ? {} : (owner?.limits ?? {}),
    secret: grant?.limits ?? null,
  }
  return accountsOf(sources, { session: id, user, tenant })
}
