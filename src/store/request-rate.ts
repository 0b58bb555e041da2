import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { type Instant, type Ms, ms } from '../units.ts'
import { keys } from './keys.ts'
import { fromStore } from './limit-scripts.ts'

/** The window in which a key's requests are counted. */
export const RATE_WINDOW = ms(60_000)

export interface RateAnswer {
  readonly allowed: boolean
  readonly left: number
  /** Until all of them are there again. */
  readonly reset: Ms
  /** Until the next one is; 0 where it was allowed. */
  readonly wait: Ms
}

type WithRate = Redis & { requestRate(key: string, ...args: (string | number)[]): Promise<[number, number, Ms, Ms]> }

/** Requests of every API key, counted for all nodes together. */
export class RequestRate {
  readonly #redis: WithRate
  readonly #now: () => Instant | ''

  constructor(redis: Redis, now: () => Instant | '' = () => '') {
    const lua = readFileSync(new URL('./scripts/request-rate.lua', import.meta.url), 'utf8')
    redis.defineCommand('requestRate', { numberOfKeys: 1, lua })
    this.#redis = redis as WithRate
    this.#now = now
  }

  /** One request of a key that may make so many in a minute. */
  async take(tenant: string, keyId: string, quota: number): Promise<RateAnswer> {
    const key = `${keys.tenant(tenant)}:rate:${keyId}`
    const reply = fromStore(this.#redis.requestRate(key, this.#now(), quota, RATE_WINDOW))
    const [allowed, left, reset, wait] = await reply
    return { allowed: allowed === 1, left, reset, wait }
  }
}
