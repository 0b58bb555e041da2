import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { FaultError } from '../faults.ts'
import { keys } from './keys.ts'
import { fromStore } from './limit-scripts.ts'

/** A stream whose node is silent for so long is over, ms; its node beats every 15 s. */
const LEASE_MS = 40_000
/** Streams that one key may have open, on all nodes. */
export const MOST_STREAMS = 20

/**
 * Takes or renews one of a key's streams.
 *   KEYS[1]  streams of a key   ZSET  stream → lease end (epoch ms)
 *   ARGV     stream, lease (ms), streams allowed
 *   Returns  1 taken or renewed, 0 all taken
 * A script because many nodes may see the last one free. A node that dies gives its streams back by its silence.
 */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local isNew = not redis.call('ZSCORE', KEYS[1], ARGV[1])
if isNew and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`

type WithTake = Redis & { takeStream(key: string, ...args: (string | number)[]): Promise<number> }

/** A stream that counts. */
export interface StreamSlot extends AsyncDisposable {
  /** Says that it is still open. Failing does no harm: the stream goes on, and counts a little less long. */
  renew(): Promise<void>
}

/** Event streams that a key has open, counted for all nodes together. */
export class StreamSlots {
  readonly #redis: WithTake

  constructor(redis: Redis) {
    redis.defineCommand('takeStream', { numberOfKeys: 1, lua: TAKE })
    this.#redis = redis as WithTake
  }

  /** Rejects with `rate_limited` where the key has as many as it may. */
  async take(tenant: string, keyId: string): Promise<StreamSlot> {
    const key = `${keys.tenant(tenant)}:streams:${keyId}`
    const id = randomUUID()
    const take = () => fromStore(this.#redis.takeStream(key, id, LEASE_MS, MOST_STREAMS))
    if ((await take()) !== 1) {
      throw new FaultError('rate_limited', `A key may follow ${MOST_STREAMS} jobs at once.`, { retryAfterMs: 15_000 })
    }
    return {
      renew: async () => void (await take().catch(() => undefined)),
      [Symbol.asyncDispose]: async () => void (await this.#redis.zrem(key, id).catch(() => undefined)),
    }
  }
}
