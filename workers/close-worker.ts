import type { Worker } from 'bullmq'
import type { Redis } from 'ioredis'

/** How long a worker may take to finish what it has in hand when it is told to stop, ms. */
const CLOSE_WITHIN_MS = 10_000
/** The same while Redis is away: nothing in hand can be finished, and a farewell to it would wait for its return. */
const CLOSE_WITHIN_AWAY_MS = 500

/**
 * Drains a worker, within bounds: what it cannot finish another takes over once its lock has run out. `cutOff` is told when
 * patience is at an end. `redis`: a connection that fails soon instead of waiting.
 */
export async function closeWorker(worker: Worker, redis: Redis, cutOff: () => void = () => undefined): Promise<void> {
  const isThere = await redis.ping().then(
    () => true,
    () => false,
  )
  const patience = AbortSignal.timeout(isThere ? CLOSE_WITHIN_MS : CLOSE_WITHIN_AWAY_MS)
  const { promise: gaveUp, resolve } = Promise.withResolvers<void>()
  patience.addEventListener(
    'abort',
    () => {
      cutOff()
      resolve()
    },
    { once: true },
  )
  await Promise.race([worker.close(), gaveUp])
}
