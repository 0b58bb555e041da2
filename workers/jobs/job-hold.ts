import type { Clock } from '../../src/clock.ts'
import type { Log } from '../../src/log.ts'
import type { Progress } from '../../src/media/job.ts'
import type { JobHold, JobStore } from '../../src/media/job-store.ts'
import { SLOT_LEASE_MS } from '../../src/store/jobs/redis-job-store.ts'
import { type Instant, later, ms } from '../../src/units.ts'
import type { JobOrders } from './job-orders.ts'

/** Why a processor is told to stop. */
export class JobStopped extends Error {
  override readonly name = 'JobStopped'
  /** `canceled` by its owner or its deadline, `lost` to another worker, `stopping` with this process. */
  readonly why: 'canceled' | 'lost' | 'stopping'
  constructor(why: JobStopped['why']) {
    super(`the job was stopped: ${why}`)
    this.why = why
  }
}

const BEAT_EVERY = ms(SLOT_LEASE_MS / 3)
/** The store takes progress at most so often; a process sends no more than that either. */
const PROGRESS_EVERY = ms(250)

export interface HoldDeps {
  readonly clock: Clock
  readonly log: Log
  readonly store: JobStore
  readonly orders: JobOrders
  /** Aborted when this process cannot wait any longer. */
  readonly stopping: AbortSignal
}

/** What a processor is given of the hold on its job. */
export interface HeldJob {
  readonly signal: AbortSignal
  progress(progress: Progress): void
  partDone(index: number, total: number): void
  segment(data: unknown): void
}

/**
 * Does `work` while the hold on its job is kept alive. The signal's reason is a JobStopped; what the work throws after that
 * is replaced by it, so that an error about an aborted call passes for what it is.
 */
export async function whileHeld<T>(deps: HoldDeps, hold: JobHold, work: (held: HeldJob) => Promise<T>): Promise<T> {
  const { clock, log, store, orders, stopping } = deps
  const stop = new AbortController()
  const end = (why: JobStopped['why']) => stop.abort(new JobStopped(why))
  using _cancel = orders.watch(hold.job.id, () => void beat())
  const onStopping = () => end('stopping')
  if (stopping.aborted) onStopping()
  stopping.addEventListener('abort', onStopping, { once: true })
  let alarm: Disposable = { [Symbol.dispose]: () => undefined }
  let isOver = false

  async function beat(): Promise<void> {
    try {
      const { held, cancel } = await store.beat(hold)
      if (!held) end('lost')
      else if (cancel) end('canceled')
    } catch (error) {
      // The hold lasts for three beats.
      log.debug({ jobId: hold.job.id, why: String(error) }, 'a beat was not heard')
    }
  }
  const arm = () => {
    alarm = clock.at(later(clock.now(), BEAT_EVERY), () => {
      void beat().finally(() => {
        if (!isOver) arm()
      })
    })
  }
  arm()
  const report = new ProgressReport(deps, hold)
  try {
    // One that was told to end before it began is not begun.
    await beat()
    stop.signal.throwIfAborted()
    return await work({
      signal: stop.signal,
      progress: (progress) => report.tell(progress),
      partDone: (index, total) => void report.send(() => store.partDone(hold, index, total)),
      segment: (data) => void report.send(() => store.segment(hold, data)),
    })
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error
  } finally {
    isOver = true
    alarm[Symbol.dispose]()
    stopping.removeEventListener('abort', onStopping)
    await report.settle()
  }
}

/** How far a job has come, told in order and not too often. What could not be told is not told again: more follows. */
class ProgressReport {
  readonly #deps: HoldDeps
  readonly #hold: JobHold
  #last: Progress | null = null
  #sentAt: Instant | null = null
  #sending: Promise<void> = Promise.resolve()

  constructor(deps: HoldDeps, hold: JobHold) {
    this.#deps = deps
    this.#hold = hold
  }

  tell(progress: Progress): void {
    const now = this.#deps.clock.now()
    const isNews = progress.stage !== this.#last?.stage || progress.done === progress.total
    if (!isNews && this.#sentAt !== null && now < later(this.#sentAt, PROGRESS_EVERY)) return
    this.#last = progress
    this.#sentAt = now
    void this.send(() => this.#deps.store.progress(this.#hold, progress))
  }

  send(what: () => Promise<void>): Promise<void> {
    this.#sending = this.#sending.then(what).catch((error: unknown) => {
      this.#deps.log.debug({ jobId: this.#hold.job.id, why: String(error) }, 'progress was not told')
    })
    return this.#sending
  }

  /** Resolves once all that was told has arrived. */
  settle(): Promise<void> {
    return this.#sending
  }
}
