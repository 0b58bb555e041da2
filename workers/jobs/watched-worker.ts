import { type Processor, type Queue, Worker, type WorkerOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Clock } from '../../src/clock.ts'
import type { Log } from '../../src/log.ts'
import type { MediaMetrics } from '../../src/metrics.ts'
import { type Instant, later, ms } from '../../src/units.ts'
import { closeWorker } from '../close-worker.ts'
import { LOCKS } from './job-worker.ts'
import { MEDIA_PREFIX } from './media-queues.ts'
import { queueTelemetry } from './queue-telemetry.ts'

/** Runs wait and none is begun although there is room: after so long something is wrong with the worker's connection. */
const IDLE_FOR = ms(30_000)
const LOOK_EVERY = ms(10_000)
/** Workers made anew in a row without a single start before it is given up. */
const MOST_IN_VAIN = 3

export interface WatchedWorkerOptions {
  readonly queue: Queue
  readonly process: Processor
  /** As the configuration says now. */
  readonly concurrency: () => number
  readonly settings?: WorkerOptions['settings']
  readonly maxStartedAttempts?: number
  /** Waits for Redis as long as it takes. */
  readonly connection: Redis
  /** Fails soon. */
  readonly redis: Redis
  readonly clock: Clock
  readonly log: Log
  readonly metrics: MediaMetrics
  /** Patience with what is in hand is at an end. */
  readonly cutOff: () => void
  /** Nothing has helped: this process does no work. */
  readonly hopeless: () => void
}

/**
 * A BullMQ worker that is made anew when it stops taking work: its blocking reads have been seen not to come back after a
 * lost connection (queue-api.md §7, row 14).
 */
export class WatchedWorker implements AsyncDisposable {
  readonly #options: WatchedWorkerOptions
  #worker: Worker
  #inHand = 0
  #lastStart: Instant
  #inVain = 0
  #alarm: Disposable
  #isClosed = false

  constructor(options: WatchedWorkerOptions) {
    this.#options = options
    this.#lastStart = options.clock.now()
    this.#worker = this.#make()
    this.#alarm = this.#arm()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#alarm[Symbol.dispose]()
    const { redis, cutOff } = this.#options
    await closeWorker(this.#worker, redis, cutOff)
  }

  #make(): Worker {
    const { queue, process, concurrency, settings, maxStartedAttempts, connection, log } = this.#options
    const counted: Processor = async (run, lock, signal) => {
      this.#lastStart = this.#options.clock.now()
      this.#inVain = 0
      this.#count(1)
      try {
        return await process(run, lock, signal)
      } finally {
        this.#count(-1)
      }
    }
    const worker = new Worker(queue.name, counted, {
      connection,
      prefix: MEDIA_PREFIX,
      concurrency: concurrency(),
      ...LOCKS,
      ...queueTelemetry(),
      ...(settings === undefined ? {} : { settings }),
      ...(maxStartedAttempts === undefined ? {} : { maxStartedAttempts }),
    })
    worker.on('error', (error) => log.debug({ queue: queue.name, why: error.message }, 'worker waits'))
    worker.on('failed', (run, error) => log.debug({ run: run?.id, why: error.name }, 'run failed'))
    worker.on('stalled', (run) => log.warn({ run }, 'the worker of a run was lost: it is begun again'))
    return worker
  }

  #count(by: 1 | -1): void {
    this.#inHand += by
    this.#options.metrics.inHand.set({ queue: this.#options.queue.name }, this.#inHand)
  }

  #arm(): Disposable {
    const { clock } = this.#options
    return clock.at(later(clock.now(), LOOK_EVERY), () => {
      void this.#look().finally(() => {
        if (!this.#isClosed) this.#alarm = this.#arm()
      })
    })
  }

  async #look(): Promise<void> {
    const { queue, clock, log, redis, metrics, hopeless } = this.#options
    const concurrency = this.#options.concurrency()
    this.#worker.concurrency = concurrency
    try {
      // A Redis that is away explains everything.
      await redis.ping()
      const waiting = await queue.getJobCountByTypes('prioritized', 'waiting')
      if (waiting === 0 || this.#inHand >= concurrency) {
        this.#lastStart = clock.now()
        return
      }
    } catch {
      this.#lastStart = clock.now()
      return
    }
    if (this.#isClosed || clock.now() < later(this.#lastStart, IDLE_FOR)) return
    if (this.#inVain++ >= MOST_IN_VAIN) {
      log.error({ queue: queue.name }, 'jobs wait and none is begun, whatever is tried')
      return hopeless()
    }
    log.error({ queue: queue.name }, 'jobs wait and none is begun: the worker is made anew')
    metrics.recreated.inc({ queue: queue.name })
    // What it has in hand it brings to its end.
    void this.#worker.close().catch(() => undefined)
    this.#lastStart = clock.now()
    this.#worker = this.#make()
  }
}
