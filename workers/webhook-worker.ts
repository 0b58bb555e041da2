import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { FaultError } from '../src/faults.ts'
import { ms } from '../src/units.ts'
import { retryGap } from '../src/webhooks/schedule.ts'
import { Delivery, WEBHOOK_PREFIX, WEBHOOK_QUEUE } from '../src/webhooks/webhook-queue.ts'
import { closeWorker } from './close-worker.ts'
import { type DeliveryTools, deliverWebhook } from './deliver-webhooks.ts'

const AT_ONCE = 32
/** At one endpoint, in this process. */
const AT_ONE_ENDPOINT = 4
const BUSY_WAIT_MS = 500
const STALLED_AFTER_MS = 30_000
/** A store that is away is no fault of the receiver's: the attempt counts as not made. */
const STORE_WAIT = ms(1_000)

/** A delivery that failed, on its way to the backoff that reads it. */
class DeliveryFailed extends Error {
  override readonly name = 'DeliveryFailed'
  readonly retryAfterMs: number | null
  constructor(why: string, retryAfterMs: number | null) {
    super(why)
    this.retryAfterMs = retryAfterMs
  }
}

/** ioredis has no one class for a server that cannot be reached. */
function isStoreAway(error: unknown): boolean {
  if (error instanceof FaultError) return error.code === 'store_unavailable'
  return (
    error instanceof Error && /Command timed out|isn't writeable|Connection is closed|max retries/i.test(error.message)
  )
}

/** Adapts deliveries to BullMQ. `connection`: one that waits for Redis as long as it takes; it stays the caller's to close. */
export function startWebhookWorker(connection: Redis, tools: DeliveryTools): AsyncDisposable {
  const running = new Map<string, number>()
  const stop = new AbortController()

  const postpone = async (job: Job, wait: number, token: string | undefined): Promise<never> => {
    const at = tools.clock.now() + wait * (1 + Math.random())
    await job.moveToDelayed(Math.ceil(at), token)
    throw new DelayedError()
  }

  const process = async (job: Job, token: string | undefined): Promise<string> => {
    const delivery = Delivery.parse(job.data)
    const { endpoint } = delivery
    const busy = running.get(endpoint) ?? 0
    // One slow receiver must not take all the places: its other deliveries step back without counting as tried.
    if (busy >= AT_ONE_ENDPOINT) return postpone(job, BUSY_WAIT_MS, token)
    running.set(endpoint, busy + 1)
    try {
      const outcome = await deliverWebhook(delivery, tools, stop.signal).catch((error: unknown) => {
        if (isStoreAway(error)) return { type: 'postponed' as const, wait: STORE_WAIT }
        throw error
      })
      switch (outcome.type) {
        case 'delivered':
          return outcome.type
        case 'postponed':
          return await postpone(job, outcome.wait, token)
        case 'dropped':
          throw new UnrecoverableError(outcome.why)
        case 'failed':
          throw new DeliveryFailed(outcome.why, outcome.retryAfter)
      }
    } finally {
      const left = (running.get(endpoint) ?? 1) - 1
      if (left > 0) running.set(endpoint, left)
      else running.delete(endpoint)
    }
  }

  const worker = new Worker(WEBHOOK_QUEUE, process, {
    connection,
    prefix: WEBHOOK_PREFIX,
    concurrency: AT_ONCE,
    lockDuration: STALLED_AFTER_MS,
    stalledInterval: STALLED_AFTER_MS / 2,
    maxStalledCount: 3,
    settings: {
      backoffStrategy: (failed, _type, error) => {
        const asked = error instanceof DeliveryFailed && error.retryAfterMs !== null ? ms(error.retryAfterMs) : null
        return retryGap(failed, asked, Math.random())
      },
    },
  })
  worker.on('failed', (job, error) => {
    const { event, endpoint } = Delivery.partial().parse(job?.data ?? {})
    tools.log.warn({ event, endpoint, attempt: job?.attemptsMade, why: error.message }, 'webhook not delivered')
  })
  worker.on('error', (error) => tools.log.debug({ why: error.message }, 'webhook worker waits'))

  return {
    // What is in hand is cut off in the end; another worker finds it stalled, or tries it again by the schedule.
    [Symbol.asyncDispose]: () =>
      closeWorker(worker, tools.redis, () => stop.abort(new Error('the worker is stopping'))),
  }
}
