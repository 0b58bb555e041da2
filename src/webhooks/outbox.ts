import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { later, type Ms, ms } from '../units.ts'
import type { WebhookEvent } from './webhook.ts'

const MOST_WAITING = 1_000
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000

/**
 * Events of this process on their way into Redis, in order. While Redis is away they wait here, so none is lost by that;
 * what still waits when the process ends is. That is enough for what operators are told. An event that belongs to a stored
 * change, as a job's end does, must be written with that change and published from there.
 */
export class EventOutbox implements Disposable {
  readonly #publish: (event: WebhookEvent) => Promise<void>
  readonly #clock: Clock
  readonly #log: Log
  readonly #waiting: WebhookEvent[] = []
  #isBusy = false
  #isStopped = false
  #failures = 0
  #alarm: Disposable | null = null

  constructor(publish: (event: WebhookEvent) => Promise<void>, clock: Clock, log: Log) {
    this.#publish = publish
    this.#clock = clock
    this.#log = log
  }

  get size(): number {
    return this.#waiting.length
  }

  /** Never throws and never waits. The oldest event makes room when a thousand wait already. */
  emit(event: WebhookEvent): void {
    if (this.#waiting.length >= MOST_WAITING) {
      // The first may be on its way at this moment.
      const [dropped] = this.#waiting.splice(this.#isBusy ? 1 : 0, 1)
      this.#log.error({ event: dropped?.type }, 'webhook event dropped: too many wait for redis')
    }
    this.#waiting.push(event)
    if (this.#alarm === null) void this.#send()
  }

  [Symbol.dispose](): void {
    this.#isStopped = true
    this.#alarm?.[Symbol.dispose]()
    if (this.#waiting.length > 0) this.#log.warn({ events: this.#waiting.length }, 'webhook events lost at the end')
  }

  async #send(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    this.#alarm = null
    try {
      for (let next = this.#waiting[0]; next !== undefined && !this.#isStopped; next = this.#waiting[0]) {
        await this.#publish(next)
        this.#waiting.shift()
        this.#failures = 0
      }
    } catch (error) {
      if (this.#failures++ === 0) this.#log.warn({ why: String(error) }, 'webhook events wait for redis')
      this.#retry(ms(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10))))
    } finally {
      this.#isBusy = false
    }
  }

  #retry(wait: Ms): void {
    if (this.#isStopped) return
    this.#alarm = this.#clock.at(later(this.#clock.now(), wait), () => void this.#send())
  }
}
