import type { Redis } from 'ioredis'
import type { JobEvent, JobStore } from '../../media/job-store.ts'
import { keys } from '../keys.ts'
import { fromStore } from '../limit-scripts.ts'

/**
 * Tells a process's own followers that a job has news. Only numbers travel by it: who is told reads the events, so that a
 * slow reader costs no memory and a lost message no event.
 */
export class JobFeed implements Disposable {
  readonly #redis: Redis
  readonly #followers = new Map<string, Set<() => void>>()

  /** `redis`: a connection of its own, which the feed closes; it subscribes again by itself when Redis is back. */
  constructor(redis: Redis) {
    this.#redis = redis
    redis.on('message', (channel: string) => {
      for (const wake of this.#followers.get(channel) ?? []) wake()
    })
    // What was said while the line was down nobody heard.
    redis.on('ready', () => {
      for (const wakes of this.#followers.values()) for (const wake of wakes) wake()
    })
  }

  /**
   * Calls `wake` whenever the job may have news, until disposed. Resolves once nothing can be missed any more; rejects with
   * FaultError `store_unavailable`.
   */
  async watch(tenant: string, id: string, wake: () => void): Promise<Disposable> {
    const channel = `${keys.tenant(tenant)}:job:${id}:told`
    const wakes = this.#followers.get(channel) ?? new Set()
    wakes.add(wake)
    this.#followers.set(channel, wakes)
    const stop = () => {
      wakes.delete(wake)
      if (wakes.size > 0 || this.#followers.get(channel) !== wakes) return
      this.#followers.delete(channel)
      // A subscription that stays although nobody listens does no harm.
      this.#redis.unsubscribe(channel).catch(() => undefined)
    }
    try {
      // Asked for by each follower, because the one before may still be on its way.
      await fromStore(this.#redis.subscribe(channel), 'jobs cannot be followed at the moment; try again soon')
    } catch (error) {
      stop()
      throw error
    }
    return { [Symbol.dispose]: stop }
  }

  [Symbol.dispose](): void {
    this.#redis.disconnect()
  }
}

/**
 * A job's events from after `after` on, as they come, until it has ended, is gone, or the signal says stop. Each call for the
 * next reads what there is: whoever reads slowly is told more at once, and nothing is kept for it meanwhile.
 */
export async function* follow(
  store: JobStore,
  feed: JobFeed,
  job: { readonly tenant: string; readonly id: string },
  after: number,
  signal: AbortSignal,
): AsyncGenerator<JobEvent> {
  let news = Promise.withResolvers<void>()
  const wake = () => news.resolve()
  signal.addEventListener('abort', wake, { once: true })
  using _ = await feed.watch(job.tenant, job.id, wake)
  let last = after
  while (!signal.aborted) {
    news = Promise.withResolvers()
    for (const event of await store.events(job.tenant, job.id, last)) {
      last = event.id
      yield event
      if (event.event === 'job.ended') return
    }
    if ((await store.read(job.tenant, job.id)) === null) return
    if (!signal.aborted) await news.promise
  }
}
