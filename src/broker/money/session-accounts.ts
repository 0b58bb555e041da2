import type { Config } from '../../config/config.ts'
import { accountsOf, NOTHING_ALLOWED } from '../../limits/accounts.ts'
import type { Account } from '../../limits/limits.ts'
import type { SessionHead } from '../../store/session-records.ts'

/** What of a session decides who pays for it. */
export type Paying = Pick<SessionHead, 'id' | 'user' | 'tenant' | 'plan' | 'grant'>

/**
 * The accounts that a session is judged against, with the limits that are in force now. A plan that is gone meanwhile is
 * replaced by the tenant's present one; a tenant that has none is allowed nothing, never everything.
 */
export function accountsOfSession(config: Config, { id, user, tenant, plan, grant }: Paying): Account[] {
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

/** The accounts that somebody may look at: a tenant its own, the operator that of the whole installation. */
export function accountsOfViewer(config: Config, viewer: { readonly tenant: string } | null): Account[] {
  const tenant = viewer?.tenant ?? ''
  const plan = config.tenants.get(tenant)?.plan ?? ''
  const all = accountsOfSession(config, { id: 'none', user: null, tenant, plan, grant: null })
  return all.filter(({ kind }) => kind === (viewer === null ? 'installation' : 'tenant'))
}
