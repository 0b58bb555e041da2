import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { FaultError } from '../src/faults.ts'
import { type AttemptRecord, WebhookMessages } from '../src/store/webhook-messages.ts'
import { later, type Ms, ms } from '../src/units.ts'
import { ATTEMPTS, retryGap } from '../src/webhooks/schedule.ts'
import { Delivery, WEBHOOK_PREFIX, WEBHOOK_QUEUE } from '../src/webhooks/webhook-queue.ts'
import { closeWorker } from './close-worker.ts'
import { type DeliveryOutcome, type DeliveryTools, deliverWebhook } from './deliver-webhooks.ts'

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
  readonly gap: Ms
  constructor(why: string, gap: Ms) {
    super(why)
    this.gap = gap
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
  const messages = new WebhookMessages(tools.redis)

  const postpone = async (job: Job, at: number, token: string | undefined): Promise<never> => {
    await job.moveToDelayed(Math.ceil(at), token)
    throw new DelayedError()
  }
  const soon = (wait: number) => later(tools.clock.now(), ms(Math.ceil(wait * (1 + Math.random()))))

  const attempt = async (delivery: Delivery): Promise<DeliveryOutcome> => {
    const { tenant, message } = delivery
    const isLate = tenant !== undefined && message !== undefined && (await messages.isSuperseded(tenant, message))
    return isLate ? { type: 'dropped', why: 'superseded' } : deliverWebhook(delivery, tools, stop.signal)
  }

  /** What is not noted costs nobody a delivery. */
  const note = async ({ tenant, message, ...to }: Delivery, attempt: AttemptRecord): Promise<void> => {
    if (tenant === undefined || message === undefined) return
    try {
      await messages.attempted(tenant, message, to, attempt, tools.clock.now())
    } catch (error) {
      tools.log.warn({ event: to.event, why: String(error) }, 'outcome of a webhook delivery not noted')
    }
  }

  const conclude = async (
    job: Job,
    token: string | undefined,
    delivery: Delivery,
    outcome: DeliveryOutcome,
  ): Promise<string> => {
    switch (outcome.type) {
      case 'delivered':
        await note(delivery, deliveredBy(outcome.status))
        return outcome.type
      case 'postponed': {
        const at = soon(outcome.wait)
        await note(delivery, { tried: false, nextAttemptAt: at })
        return postpone(job, at, token)
      }
      case 'dropped': {
        const isGone = outcome.why === 'gone'
        const left = { answered: isGone ? 410 : null, error: isGone ? null : outcome.why }
        await note(delivery, { status: 'failed', tried: isGone, ...left, nextAttemptAt: null })
        throw new UnrecoverableError(outcome.why)
      }
      case 'failed': {
        const failed = job.attemptsMade + 1
        const gap = retryGap(failed, outcome.retryAfter, Math.random())
        const nextAttemptAt = failed < ATTEMPTS ? later(tools.clock.now(), gap) : null
        const how = { answered: outcome.status, error: outcome.code }
        await note(delivery, { status: 'failed', tried: true, ...how, nextAttemptAt })
        throw new DeliveryFailed(outcome.why, gap)
      }
    }
  }

  const process = async (job: Job, token: string | undefined): Promise<string> => {
    const delivery = Delivery.parse(job.data)
    const { endpoint } = delivery
    const busy = running.get(endpoint) ?? 0
    // One slow receiver must not take all the places: its other deliveries step back without counting as tried.
    if (busy >= AT_ONE_ENDPOINT) return postpone(job, soon(BUSY_WAIT_MS), token)
    running.set(endpoint, busy + 1)
    try {
      const outcome = await attempt(delivery).catch((error: unknown) => {
        if (isStoreAway(error)) return { type: 'postponed' as const, wait: STORE_WAIT }
        throw error
      })
      return await conclude(job, token, delivery, outcome)
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
        return error instanceof DeliveryFailed ? error.gap : retryGap(failed, null, Math.random())
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

const deliveredBy = (status: number): AttemptRecord => ({
  ...{ status: 'delivered', tried: true, answered: status, error: null },
  nextAttemptAt: null,
})
