import type { Worker } from 'bullmq'
import type { Redis } from 'ioredis'

/** How long a worker may take to finish what it has in hand when it is told to stop, ms. */
const CLOSE_WITHIN_MS = 10_000
/** The same while Redis is away: nothing in hand can be finished, and a farewell to it would wait for its return. */
const CLOSE_WITHIN_AWAY_MS = 200
/** For what was cut off to say so, and to be given back, ms. */
const LAST_WORD_MS = 2_000

/**
 * Drains a worker, within bounds: what it cannot finish another takes over once its lock has run out. `cutOff` is told when
 * patience is at an end. `redis`: a connection that fails soon instead of waiting.
 */
export async function closeWorker(worker: Worker, redis: Redis, cutOff: () => void = () => undefined): Promise<void> {
  const isThere = await redis.ping().then(
    () => true,
    () => false,
  )
  const closed = worker.close().then((): true => true)
  if (await within(closed, isThere ? CLOSE_WITHIN_MS : CLOSE_WITHIN_AWAY_MS)) return
  cutOff()
  if (isThere) await within(closed, LAST_WORD_MS)
}

/** Whether it came to its end in time. */
async function within(end: Promise<true>, ms: number): Promise<boolean> {
  const patience = AbortSignal.timeout(ms)
  const { promise: gaveUp, resolve } = Promise.withResolvers<false>()
  patience.addEventListener('abort', () => resolve(false), { once: true })
  return await Promise.race([end, gaveUp])
}
