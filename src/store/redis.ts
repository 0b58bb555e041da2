import { Redis, type RedisOptions } from 'ioredis'
import type { Log } from '../log.ts'
import type { RedisAddress } from './embedded-redis.ts'

/**
 * A client for doors and limits: a caller waits for the answer, so it fails soon instead of queueing (reference: hardening,
 * when Redis is away).
 */
export function connectRedis(where: string | RedisAddress, log: Log): Redis {
  const redis = typeof where === 'string' ? fromUrl(where) : new Redis({ ...PATIENCE, ...where })
  let wasUp = true
  redis.on('ready', () => {
    if (!wasUp) log.info({}, 'redis is back')
    wasUp = true
  })
  redis.on('error', (error: Error) => {
    if (wasUp) log.warn({ why: error.message }, 'redis is away')
    wasUp = false
  })
  return redis
}

const PATIENCE = {
  commandTimeout: 300,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  lazyConnect: true,
  retryStrategy: (times: number) => Math.min(2_000, 50 * 2 ** Math.min(times, 6)),
} satisfies RedisOptions

/** `unix:/path` besides the forms that ioredis knows. */
function fromUrl(url: string): Redis {
  return url.startsWith('unix:') ? new Redis({ ...PATIENCE, path: url.slice(5) }) : new Redis(url, PATIENCE)
}

/** Refuses servers that would lose what they hold, with the line that mends it. */
export async function checkRedis(redis: Redis, log: Log): Promise<void> {
  const info = await redis.info()
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? ''
  const [major = 0, minor = 0] = field('redis_version').split('.').map(Number)
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new Error(`Redis ${field('redis_version')} is too old: Parley needs 6.2 or newer`)
  }
  const policy = field('maxmemory_policy')
  if (policy !== '' && policy !== 'noeviction') {
    throw new Error(`Redis evicts keys (${policy}): run "CONFIG SET maxmemory-policy noeviction" on it`)
  }
  if (field('aof_enabled') === '0') {
    log.warn(
      {},
      'redis keeps no append-only file: run "CONFIG SET appendonly yes" on it, or a restart of it loses sessions',
    )
  }
}
