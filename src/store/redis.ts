import { Redis, type RedisOptions } from 'ioredis'
import type { Log } from '../log.ts'
import type { RedisAddress } from './embedded-redis.ts'

/** A Redis URL, or the socket and credentials of the embedded server. */
export type RedisPlace = string | RedisAddress

/**
 * A client for doors and limits: a caller waits for the answer, so it fails soon instead of queueing (reference: hardening,
 * when Redis is away).
 */
export function connectRedis(where: RedisPlace, log: Log): Redis {
  const redis = open(where, IMPATIENT)
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

/** A client for BullMQ's workers: nobody waits for it, so a command waits until Redis is back. */
export function connectForQueue(where: RedisPlace, log: Log): Redis {
  const redis = open(where, { maxRetriesPerRequest: null, retryStrategy: IMPATIENT.retryStrategy })
  redis.on('error', (error: Error) => log.debug({ why: error.message }, 'queue waits for redis'))
  return redis
}

/**
 * A client for whoever reads the journal, and is never silent for long: it waits until Redis is back, and notices when the
 * other end has vanished without a word.
 */
export function connectForJournal(where: RedisPlace, log: Log): Redis {
  const { retryStrategy } = IMPATIENT
  const redis = open(where, { maxRetriesPerRequest: null, retryStrategy, socketTimeout: SILENT_FOR_MS })
  redis.on('error', (error: Error) => log.debug({ why: error.message }, 'journal waits for redis'))
  return redis
}

/**
 * A client that listens to channels: a subscription that cannot be made now fails soon, one that was made is made again when
 * Redis is back.
 */
export function connectForFeed(where: RedisPlace, log: Log): Redis {
  const redis = open(where, { ...IMPATIENT, lazyConnect: false, enableOfflineQueue: true })
  redis.on('error', (error: Error) => log.debug({ why: error.message }, 'feed waits for redis'))
  return redis
}

/** Well above the second that a reading of the journal waits. */
const SILENT_FOR_MS = 15_000

const IMPATIENT = {
  commandTimeout: 300,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  lazyConnect: true,
  retryStrategy: (times: number) => Math.min(2_000, 50 * 2 ** Math.min(times, 6)),
} satisfies Patience

/** How long a command waits for the server, and how a lost connection is sought again. */
type Patience = Pick<
  RedisOptions,
  'commandTimeout' | 'socketTimeout' | 'maxRetriesPerRequest' | 'enableOfflineQueue' | 'lazyConnect' | 'retryStrategy'
>

/** `unix:/path` besides the forms that ioredis knows. */
function open(where: RedisPlace, patience: Patience): Redis {
  if (typeof where !== 'string') return new Redis({ ...patience, ...where })
  return where.startsWith('unix:') ? new Redis({ ...patience, path: where.slice(5) }) : new Redis(where, patience)
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
