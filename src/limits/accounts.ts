import { createHash } from 'node:crypto'
import { type Ms, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts'
import type { Account, AccountLimits } from './limits.ts'

/** Limits of a plan, by whom they hold for. */
export interface ScopeLimits {
  readonly session: AccountLimits
  readonly user: AccountLimits
  readonly tenant: AccountLimits
}

/** What a tenant has in place of its plan's: single numbers; null lifts the plan's limit, what is absent keeps it. */
export type LimitOverrides = Readonly<Partial<Record<keyof ScopeLimits, Partial<AccountLimits>>>>

/** What a client secret allows a session at most. Null: no more than the plan says. */
export interface SecretLimits {
  readonly budget: NanoUsd | null
  /** Weighted tokens. */
  readonly tokensPerMinute: Tokens | null
  readonly maxDuration: Ms | null
}

export const NO_SECRET_LIMITS: SecretLimits = { budget: null, tokensPerMinute: null, maxDuration: null }

/** Everything that has a say in what one session may do. */
export interface LimitSources {
  readonly installation: AccountLimits
  readonly plan: ScopeLimits
  readonly tenant: LimitOverrides
  /** Null where the caller showed a key of its own. */
  readonly secret: SecretLimits | null
}

/** Whose session it is. `user` is the tenant's own word for its end user, free text; null where it names none. */
export interface Whose {
  readonly session: string
  readonly user: string | null
  readonly tenant: string
}

/** The installation's one account. */
export const INSTALLATION = 'all'

/** The accounts that a session is judged against: itself, its user (if it has one), its tenant, the installation. */
export function accountsOf({ installation, plan, tenant, secret }: LimitSources, whose: Whose): Account[] {
  const limits = effectiveLimits(plan, tenant)
  const { budget, tokensPerMinute } = secret ?? NO_SECRET_LIMITS
  const accounts: Account[] = [
    {
      kind: 'session',
      id: whose.session,
      limits: {
        ...limits.session,
        budget: lower(limits.session.budget, budget),
        tokensPerMinute: lower(limits.session.tokensPerMinute, tokensPerMinute),
      },
    },
  ]
  if (whose.user !== null) {
    accounts.push({ kind: 'user', id: userAccount(whose.tenant, whose.user), limits: limits.user })
  }
  accounts.push({ kind: 'tenant', id: whose.tenant, limits: limits.tenant })
  accounts.push({ kind: 'installation', id: INSTALLATION, limits: installation })
  return accounts
}

/** A plan's limits with a tenant's own numbers in their place. */
export function effectiveLimits(plan: ScopeLimits, tenant: LimitOverrides): ScopeLimits {
  return {
    session: { ...plan.session, ...tenant.session },
    user: { ...plan.user, ...tenant.user },
    tenant: { ...plan.tenant, ...tenant.tenant },
  }
}

/**
 * The account of a tenant's user. A hash, because the tenant may use any text, and an e-mail address does not belong into
 * key names; with the tenant in it, because two tenants' users of one name are two people.
 */
export function userAccount(tenant: string, user: string): string {
  return createHash('sha256').update(`${tenant}\n${user}`).digest('base64url')
}

/** The lower of two limits, where null is none. */
export function lower<N extends number>(a: N | null, b: N | null): N | null {
  if (a === null || b === null) return a ?? b
  return a < b ? a : b
}

const NOTHING: AccountLimits = {
  sessions: 0,
  startsPerMinute: 0,
  tokensPerMinute: tokens(0),
  budget: nanoUsd(0),
  perDay: nanoUsd(0),
  perMonth: nanoUsd(0),
}
/** Limits that let nothing through. */
export const NOTHING_ALLOWED: ScopeLimits = { session: NOTHING, user: NOTHING, tenant: NOTHING }

/** Does it limit tokens or money, beside how many sessions there may be? */
export function limitsSpending({ limits }: Account): boolean {
  const { tokensPerMinute, budget, perDay, perMonth } = limits
  return tokensPerMinute !== null || budget !== null || perDay !== null || perMonth !== null
}
