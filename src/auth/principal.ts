import type { SecretLimits } from '../limits/accounts.ts'
import type { Instant } from '../units.ts'
import type { Scope } from './scopes.ts'

/** Who is calling, as proven by a credential. Tenant and limits come from nowhere else. */
export interface Principal {
  tenant: string
  /** The API key, or the key that minted the client secret. An id, never the key. */
  keyId: string
  scopes: readonly Scope[]
  /** Set when the credential was a client secret. */
  secret: SecretGrant | null
}

/** What a client secret carries from its minting to the session it opens. */
export interface SecretGrant {
  /** The caller's own end user, free text of at most 128 characters; for limits and the ledger. */
  user: string | null
  /** Session object given at minting; sent to the provider first, its fields locked. */
  session: Record<string, unknown>
  /** Top-level session fields the browser may still change. */
  unlocked: readonly string[]
  /** Exact origins the secret may be used from; empty for the tenant's own list. */
  origins: readonly string[]
  /** What the session may do at most; where the plan allows less, the plan holds. */
  limits: SecretLimits
  expiresAt: Instant
}
