import type { Redis } from 'ioredis'
import { keys } from '../store/keys.ts'
import { type Instant, instant } from '../units.ts'

const HOUR_MS = 3_600_000

/**
 * When each key was last used, to the hour: enough to find keys that nobody needs, too little to follow anybody. Written
 * at most once per key, hour and node; a use that cannot be written is forgotten.
 */
export class KeyUse {
  readonly #redis: Redis
  /** Key id → the hour last written. */
  readonly #written = new Map<string, number>()

  constructor(redis: Redis) {
    this.#redis = redis
  }

  saw(keyId: string, now: Instant): void {
    const hour = Math.floor(now / HOUR_MS) * HOUR_MS
    if (this.#written.get(keyId) === hour) return
    this.#written.set(keyId, hour)
    this.#redis.hset(keys.keyUse, keyId, hour).catch(() => this.#written.delete(keyId))
  }

  /** By key id. Rejects when the store is away. */
  async all(): Promise<ReadonlyMap<string, Instant>> {
    const found = await this.#redis.hgetall(keys.keyUse)
    return new Map(Object.entries(found).map(([id, hour]) => [id, instant(Number(hour))]))
  }

  /** A key that is gone is not remembered. */
  async forget(keyIds: readonly string[]): Promise<void> {
    for (const id of keyIds) this.#written.delete(id)
    if (keyIds.length > 0) await this.#redis.hdel(keys.keyUse, ...keyIds)
  }
}
