import type { Redis } from 'ioredis'
import type { Gauge } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { later, ms } from '../units.ts'
import { memoryShare } from './store-memory.ts'

const LOOK_EVERY = ms(10_000)
/** Shares of its memory at which the operator is told, and at which all is well again (reference: hardening, the store). */
const ALARM_FROM = 0.7
const WELL_BELOW = 0.65

/** Tells the operator that Redis fills up while there is time to do something: nothing is refused before 85 %. */
export class MemoryWatch implements Disposable {
  readonly #redis: Redis
  readonly #clock: Clock
  readonly #log: Log
  readonly #share: Gauge
  #isHigh = false
  #next: Disposable | null = null
  #isOver = false

  constructor(redis: Redis, clock: Clock, log: Log, share: Gauge) {
    this.#redis = redis
    this.#clock = clock
    this.#log = log
    this.#share = share
    void this.#look()
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#next?.[Symbol.dispose]()
  }

  async #look(): Promise<void> {
    const info = await this.#redis.info('memory').catch(() => null)
    if (info !== null) this.#saw(memoryShare(info))
    if (!this.#isOver) this.#next = this.#clock.at(later(this.#clock.now(), LOOK_EVERY), () => void this.#look())
  }

  #saw(share: number): void {
    this.#share.set(share)
    const percent = Math.round(share * 100)
    if (!this.#isHigh && share >= ALARM_FROM) {
      this.#isHigh = true
      this.#log.warn({ percent }, 'redis fills up: give it more memory (maxmemory); from 85 % nothing new is taken in')
    } else if (this.#isHigh && share < WELL_BELOW) {
      this.#isHigh = false
      this.#log.info({ percent }, 'redis has room again')
    }
  }
}
