import type { Audit } from '../audit/audit.ts'
import { findKey } from '../auth/authenticate.ts'
import type { KeyUse } from '../auth/key-use.ts'
import { makeKey, type NewKey } from '../auth/keys.ts'
import type { Scope } from '../auth/scopes.ts'
import type { Clock } from '../clock.ts'
import type { StoredKey, StoredTenant } from '../config/stored-policy.ts'
import { FaultError } from '../faults.ts'
import { type Instant, later, type Ms } from '../units.ts'
import { type Administration, byOperator } from './administration.ts'

/** Keys one tenant can have. */
const MOST_KEYS = 100

export interface KeyWish {
  /** Two to eight letters that show in the key, such as `live`. */
  environment: string
  name: string
  scopes: readonly Scope[]
}

/** Keys of tenants that are not in the policy file. A key is shown once, to whoever made it. */
export class TenantKeys {
  readonly #administration: Administration
  readonly #audit: Audit
  readonly #clock: Clock
  readonly #keyUse: KeyUse

  constructor(administration: Administration, audit: Audit, clock: Clock, keyUse: KeyUse) {
    this.#administration = administration
    this.#audit = audit
    this.#clock = clock
    this.#keyUse = keyUse
  }

  async make(tenantId: string, { environment, name, scopes }: KeyWish): Promise<NewKey> {
    const { config } = this.#administration.policy
    let key = makeKey(environment, config.pepper)
    // An id has 41 random bits; two alike would lock one of them out.
    while (findKey(config, key.id) !== null) key = makeKey(environment, config.pepper)
    const { id, hash } = key
    const kept = { id, hash, name, scopes: [...scopes], madeAt: Math.floor(this.#clock.now()), former: null }
    await this.#administration.changeStored(tenantId, (tenant) => {
      if (tenant.keys.length >= MOST_KEYS)
        throw new FaultError('in_use', `The tenant '${tenantId}' has ${MOST_KEYS} keys already.`)
      return { ...tenant, keys: [...tenant.keys, kept] }
    })
    this.#audit.record({ kind: 'key.made', ...byOperator(tenantId, id), detail: { scopes: [...scopes] } })
    return key
  }

  /**
   * A new secret for a key. The one before stays good for `oldValidFor` (null: until it is revoked), so that callers can be
   * moved over; the one before that is dead at once. Running sessions go on, for they are the key's, not the secret's.
   */
  async rotate(tenantId: string, keyId: string, environment: string, oldValidFor: Ms | null): Promise<NewKey> {
    const { config } = this.#administration.policy
    const key = makeKey(environment, config.pepper, keyId)
    const until: Instant | null = oldValidFor === null ? null : later(this.#clock.now(), oldValidFor)
    await this.#change(tenantId, keyId, (old) => ({ ...old, hash: key.hash, former: { hash: old.hash, until } }))
    this.#audit.record({ kind: 'key.rotated', ...byOperator(tenantId, keyId), detail: { oldValidFor } })
    return key
  }

  /** Ends the secret before the last rotation; the key itself stays. */
  async revokeFormer(tenantId: string, keyId: string): Promise<void> {
    await this.#change(tenantId, keyId, (old) => ({ ...old, former: null }))
    this.#audit.record({ kind: 'key.revoked', ...byOperator(tenantId, keyId), detail: { secret: 'former' } })
  }

  /** Ends a key, every client secret minted with it, and every session opened with either. */
  async revoke(tenantId: string, keyId: string): Promise<void> {
    await this.#administration.changeStored(tenantId, (tenant) => {
      requireKey(tenant, keyId)
      return { ...tenant, keys: tenant.keys.filter((key) => key.id !== keyId) }
    })
    this.#audit.record({ kind: 'key.revoked', ...byOperator(tenantId, keyId), detail: { secret: 'all' } })
    await this.#keyUse.forget([keyId]).catch(() => undefined)
  }

  async #change(tenantId: string, keyId: string, change: (key: StoredKey) => StoredKey): Promise<void> {
    await this.#administration.changeStored(tenantId, (tenant) => {
      requireKey(tenant, keyId)
      return { ...tenant, keys: tenant.keys.map((key) => (key.id === keyId ? change(key) : key)) }
    })
  }
}

function requireKey(tenant: StoredTenant, keyId: string): void {
  if (tenant.keys.some((key) => key.id === keyId)) return
  throw new FaultError('not_found', `There is no key '${keyId}' here.`)
}
