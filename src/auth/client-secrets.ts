import { createHash, randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { FaultError } from '../faults.ts'
import { StoredSecretLimits } from '../limits/stored-secret-limits.ts'
import { keys } from '../store/keys.ts'
import { type Instant, later, type Ms } from '../units.ts'
import { KeyUse } from './key-use.ts'

/** What is stored for a client secret; the secret itself is not. */
const StoredSecret = z.object({
  tenant: z.string(),
  keyId: z.string(),
  user: z.string().nullable(),
  session: z.record(z.string(), z.unknown()),
  unlocked: z.array(z.string()),
  origins: z.array(z.string()),
  limits: StoredSecretLimits,
  expiresAt: z.number(),
})
export type StoredSecret = z.infer<typeof StoredSecret>

/** How long after its end a secret is still known, so that "expired" can be told from "never was", ms. */
const REMEMBERED_MS = 60_000

const FORM = /^ek_[A-Za-z0-9_-]{43}$/

/**
 * Takes one use of a secret. KEYS[1] the secret; returns 1, or 0 once its uses are gone. A script because two connections
 * may show the same secret at once, and only as many may win as it has uses.
 */
const TAKE = `
local uses = tonumber(redis.call('HGET', KEYS[1], 'uses') or '0')
if uses < 1 then return 0 end
redis.call('HINCRBY', KEYS[1], 'uses', -1)
return 1`

type WithTake = Redis & { takeSecret(key: string): Promise<number> }

/** Short-lived credentials for browsers: opaque, stored only as a hash, single use unless minted otherwise. */
export class ClientSecrets {
  readonly #redis: WithTake
  /** Told of every key that is shown, beside which secrets are judged. */
  readonly keyUse: KeyUse

  constructor(redis: Redis) {
    redis.defineCommand('takeSecret', { numberOfKeys: 1, lua: TAKE })
    this.#redis = redis as WithTake
    this.keyUse = new KeyUse(redis)
  }

  /** `id` names the secret where it must be spoken of, and opens nothing. */
  async mint(
    grant: Omit<StoredSecret, 'expiresAt'>,
    uses: number,
    life: Ms,
    now: Instant,
  ): Promise<{ value: string; id: string; expiresAt: Instant }> {
    const value = `ek_${randomBytes(32).toString('base64url')}`
    const expiresAt = later(now, life)
    const key = keys.clientSecret(hash(value))
    await this.#redis
      .multi()
      .hset(key, 'grant', JSON.stringify({ ...grant, expiresAt }), 'uses', uses)
      .pexpire(key, life + REMEMBERED_MS)
      .exec()
    return { value, id: `eks_${hash(value).slice(0, 16)}`, expiresAt }
  }

  /**
   * What a secret grants; nothing is used up by looking. `secret_expired` when its time is over, `invalid_api_key` when it
   * was never minted or is used up, `store_unavailable` when nobody can tell.
   */
  async read(value: string, now: Instant): Promise<StoredSecret> {
    if (!FORM.test(value)) throw new FaultError('invalid_api_key', 'Incorrect client secret provided.')
    const [grant, uses] = await this.#redis.hmget(keys.clientSecret(hash(value)), 'grant', 'uses').catch(storeIsAway)
    if (typeof grant !== 'string' || Number(uses) < 1) throw usedUp()
    const secret = StoredSecret.parse(JSON.parse(grant))
    if (secret.expiresAt <= now) throw new FaultError('secret_expired', 'The client secret has expired.')
    return secret
  }

  /** One use of a secret, for a caller that will be let in. Rejects as `read` does. */
  async take(value: string): Promise<void> {
    const taken = await this.#redis.takeSecret(keys.clientSecret(hash(value))).catch(storeIsAway)
    if (taken !== 1) throw usedUp()
  }
}

function usedUp(): FaultError {
  return new FaultError('invalid_api_key', 'The client secret is unknown or has been used.')
}

function storeIsAway(cause: unknown): never {
  throw new FaultError('store_unavailable', 'Client secrets cannot be checked right now.', {
    cause,
    retryAfterMs: 2_000,
  })
}

function hash(value: string): string {
  return createHash('sha256').update(value).digest('hex')
}
