import type { Redis } from 'ioredis'
import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import { type Instant, later, ms } from '../units.ts'

/** Share of its memory beyond which Redis gets no new work: the rest is for what was taken in to come to its end. */
const SHED_FROM = 0.85
/** What was seen is believed for so long: at its fastest a door fills some MB meanwhile. */
const SEEN_FOR = ms(1_000)
/** When to come back. What ends or expires gives memory back, which takes a while. */
const COME_BACK = ms(10_000)

/** How much of its memory Redis uses. At its limit every write fails, also those that would end something. */
export class StoreMemory {
  readonly #redis: Redis
  readonly #clock: Clock
  #seen: { readonly until: Instant; readonly share: Promise<number> } | null = null

  constructor(redis: Redis, clock: Clock) {
    this.#redis = redis
    this.#clock = clock
  }

  /** Whether new work has to wait. While Redis does not answer it is not: whoever asks it next is told why. */
  async isTight(): Promise<boolean> {
    const now = this.#clock.now()
    if (this.#seen === null || now >= this.#seen.until) {
      const share = this.#redis.info('memory').then(memoryShare, () => 0)
      this.#seen = { until: later(now, SEEN_FOR), share }
    }
    return (await this.#seen.share) > SHED_FROM
  }

  /** To be asked before anything new is acknowledged. Throws `overloaded`. */
  async requireRoom(): Promise<void> {
    if (!(await this.isTight())) return
    const message = 'No new work is taken in until some of what there is has come to its end.'
    throw new FaultError('overloaded', message, { retryAfterMs: COME_BACK })
  }
}

/** Of what `INFO memory` says: 0 to 1, and 0 where nothing limits it. */
export function memoryShare(info: string): number {
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  const most = field('maxmemory')
  return most > 0 ? field('used_memory') / most : 0
}
