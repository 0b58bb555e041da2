import type { Redis } from 'ioredis'
import type { Log } from '../../src/log.ts'
import { keys } from '../../src/store/keys.ts'

/**
 * What all worker processes are told at once: that a tenant's outbox has something, and that a job shall end. Nothing
 * depends on it: the sweep finds what nobody heard, and every beat asks again.
 */
export class JobOrders implements Disposable {
  readonly #redis: Redis
  readonly #cancels = new Map<string, Set<() => void>>()

  /** `redis`: a connection of its own, which is closed with this. */
  constructor(redis: Redis, onReady: (tenant: string) => void, log: Log) {
    this.#redis = redis
    redis.on('message', (channel: string, message: string) => {
      if (channel === keys.jobsReady) onReady(message)
      else for (const cancel of this.#cancels.get(message) ?? []) cancel()
    })
    redis
      .subscribe(keys.jobsReady, keys.jobsCancel)
      .catch((error: unknown) =>
        log.warn({ why: String(error) }, 'orders about jobs are not heard: they come by the sweep'),
      )
  }

  /** Calls `cancel` when the job's end is asked for, until disposed. */
  watch(id: string, cancel: () => void): Disposable {
    const all = this.#cancels.get(id) ?? new Set()
    all.add(cancel)
    this.#cancels.set(id, all)
    return {
      [Symbol.dispose]: () => {
        all.delete(cancel)
        if (all.size === 0) this.#cancels.delete(id)
      },
    }
  }

  [Symbol.dispose](): void {
    this.#redis.disconnect()
  }
}
