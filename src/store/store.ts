import type { Redis } from 'ioredis'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Log } from '../log.ts'
import { EmbeddedRedis } from './embedded-redis.ts'
import { checkRedis, connectRedis, type RedisPlace } from './redis.ts'
import { memoryShare } from './store-memory.ts'

/** The Redis this process works with: one given by its URL, or a private child. */
export class Store implements AsyncDisposable {
  readonly redis: Redis
  /** Where further connections go. */
  readonly place: RedisPlace
  readonly #embedded: EmbeddedRedis | null

  private constructor(redis: Redis, place: RedisPlace, embedded: EmbeddedRedis | null) {
    this.redis = redis
    this.place = place
    this.#embedded = embedded
  }

  /** `path`: where to look for a server. Throws with a plain sentence when none can be had. */
  static async open(config: Config, path: string | undefined, clock: Clock, log: Log): Promise<Store> {
    const embedded = config.redisUrl === undefined ? await EmbeddedRedis.start(config, path, clock, log) : null
    const place = config.redisUrl ?? (embedded as EmbeddedRedis).address
    const store = new Store(connectRedis(place, log), place, embedded)
    try {
      // The rejection only says that the connection was closed; the reason comes as an event of its own.
      let why: string | null = null
      store.redis.once('error', (error: Error) => {
        why = error.message
      })
      await store.redis.connect().catch((error: Error) => {
        throw new Error(`Redis cannot be reached: ${why ?? error.message}`)
      })
      await checkRedis(store.redis, log)
      return store
    } catch (error) {
      await store[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Why nothing should rely on it now; null when it is well. */
  async unwell(): Promise<string | null> {
    if (this.#embedded?.isHealthy === false) return 'the embedded redis keeps dying'
    return this.redis.info('memory').then(
      (info) => (memoryShare(info) > FULL_FROM ? 'redis is nearly full' : null),
      () => 'redis is away',
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.redis.disconnect()
    await this.#embedded?.[Symbol.asyncDispose]()
  }
}

/** Share of its memory beyond which Redis should get no more work: at its limit every write fails. */
const FULL_FROM = 0.9
