import { DelayedError, type Job as Run, UnrecoverableError, type WorkerOptions } from 'bullmq'
import type { Clock } from '../../src/clock.ts'
import type { JobLimits, MediaConfig } from '../../src/config/config.ts'
import type { Log } from '../../src/log.ts'
import type { Job, JobStatus, JobUsage } from '../../src/media/job.ts'
import type { JobType } from '../../src/media/job-request.ts'
import type { JobHold, JobStore } from '../../src/media/job-store.ts'
import type { MediaMetrics } from '../../src/metrics.ts'
import type { BackOffice } from '../../src/store/jobs/back-office.ts'
import type { FairOrder } from '../../src/store/jobs/fair-order.ts'
import { between, ms } from '../../src/units.ts'
import type { Dispatcher } from './dispatcher.ts'
import { JobStopped, whileHeld } from './job-hold.ts'
import type { JobOrders } from './job-orders.ts'
import { noteRun, tellJob } from './job-span.ts'
import { judgeFault, retryWait } from './judge-fault.ts'
import { JobTurn, type MediaQueues, MergeTurn, PieceTurn } from './media-queues.ts'
import { type FailedPart, type Finished, isParted, type Parted, type Processor, type Workshop } from './processor.ts'
import type { Scratch } from './scratch.ts'

export interface JobWorkerDeps {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: MediaMetrics
  readonly store: JobStore
  readonly office: BackOffice
  readonly orders: JobOrders
  readonly dispatcher: Dispatcher
  readonly queues: MediaQueues
  readonly order: { readonly jobs: FairOrder; readonly pieces: FairOrder }
  readonly processors: Readonly<Record<JobType, Processor>>
  readonly workshop: Workshop
  readonly scratch: Scratch
  readonly limits: (tenant: string) => JobLimits
  readonly queue: () => MediaConfig['queue']
  /** Aborted when this process cannot wait for what it has in hand any longer. */
  readonly stopping: AbortSignal
  /** A job of the tenant's has changed: somebody may want to be told. */
  readonly changed: (tenant: string) => void
}

/**
 * A worker that dies is noticed when its lock has run out, by the next look after that: 9.5 s at the most. (10 s and 5 s, which
 * are often seen to take 10.3 s, can take 15.) Work is done in other processes, so nothing keeps a lock from being renewed.
 */
export const LOCKS: Pick<WorkerOptions, 'lockDuration' | 'stalledInterval' | 'maxStalledCount'> = {
  lockDuration: 7_000,
  stalledInterval: 2_500,
  maxStalledCount: 3,
}

/** What BullMQ calls, and what each run means for the record of its job: the only part that knows both. */
export class JobWorker {
  readonly #deps: JobWorkerDeps

  constructor(deps: JobWorkerDeps) {
    this.#deps = deps
  }

  /** A job's turn has come. */
  async run(run: Run, lock: string | undefined): Promise<string> {
    const turn = JobTurn.parse(run.data)
    const { store, dispatcher, order, clock, processors } = this.#deps
    const answer = await store.start(turn.tenant, turn.id, turn.dispatch)
    switch (answer.type) {
      case 'busy':
        await run.moveToDelayed(Math.ceil(clock.now() + answer.wait), lock)
        throw new DelayedError()
      case 'not_due':
        return answer.type
      case 'poisoned':
        this.#deps.changed(turn.tenant)
        throw new UnrecoverableError('the job brings its workers down')
      case 'started':
        break
    }
    const { hold } = answer
    noteRun(hold.job)
    return this.#settling(hold, async () => {
      await order.jobs.take(turn.number)
      this.#deps.changed(turn.tenant)
      dispatcher.nudge(turn.tenant)
      const processor = processors[hold.job.type]
      const outcome = await this.#work(hold, (tools, signal) => processor.run(hold.job, tools, signal))
      if (outcome.type === 'finished') return this.#finish(hold, outcome)
      await this.#handOut(turn, hold, outcome)
      return 'handed over'
    })
  }

  /** One part of a prepared job. */
  async piece(run: Run): Promise<string> {
    const turn = PieceTurn.parse(run.data)
    const hold = await this.#holdOf(turn)
    if (hold === null) return 'not due'
    noteRun(hold.job, turn.index)
    await this.#deps.order.pieces.take(turn.number)
    const processor = this.#deps.processors[hold.job.type]
    if (!isParted(processor)) throw new UnrecoverableError('a part of a job that has none')
    try {
      await this.#work(hold, (tools, signal) => processor.part(hold.job, turn.index, tools, signal))
      return 'done'
    } catch (thrown) {
      if (thrown instanceof JobStopped) {
        // Another process goes on with it once this one's lock has run out.
        if (thrown.why === 'stopping') throw thrown
        return thrown.why
      }
      const { error, isPassing, isBug, retryAfter } = judgeFault(thrown)
      if (isBug) this.#deps.log.error({ jobId: turn.id, piece: turn.index, err: thrown }, 'a part of a job failed')
      // The whole reads the reason from its part.
      const reason = JSON.stringify(error)
      throw isPassing ? new PassingFailure(reason, retryAfter) : new UnrecoverableError(reason)
    }
  }

  /** All parts have succeeded or failed for good. */
  async merge(run: Run): Promise<string> {
    const turn = MergeTurn.parse(run.data)
    const hold = await this.#holdOf(turn)
    if (hold === null) return 'not due'
    noteRun(hold.job)
    const processor = this.#deps.processors[hold.job.type]
    if (!isParted(processor)) throw new UnrecoverableError('parts of a job that has none')
    const failed = failedParts(await run.getIgnoredChildrenFailures())
    return this.#settling(hold, async () =>
      this.#finish(hold, await this.#work(hold, (tools, signal) => processor.merge(hold.job, failed, tools, signal))),
    )
  }

  #work<T>(
    hold: JobHold,
    work: (tools: Parameters<Processor['run']>[1], signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { workshop, scratch } = this.#deps
    return whileHeld(this.#deps, hold, async ({ signal, ...report }) => {
      await using folder = await scratch.folder()
      return await work({ ...workshop, folder: folder.path, ...report }, signal)
    })
  }

  /** The hold of a job whose parts are being done; null when there is nothing to do for it any more. */
  async #holdOf({ tenant, id, token }: MergeTurn): Promise<JobHold | null> {
    const job = await this.#deps.store.read(tenant, id)
    return job === null || job.status !== 'processing' ? null : { job, token }
  }

  async #handOut(turn: JobTurn, hold: JobHold, { costs }: Parted): Promise<void> {
    const { order, queues, store, dispatcher, limits, queue } = this.#deps
    const { tenant, id, dispatch } = turn
    const merge = { tenant, id, dispatch, token: hold.token }
    const cost = ms(costs.reduce((sum, each) => sum + each, 0) / Math.max(1, costs.length))
    const name = `${id}-${dispatch}`
    const { turns } = await order.pieces.number(tenant, name, cost, limits(tenant).weight, costs.length)
    const parts = turns.map(({ number, priority }, index) => ({ turn: { ...merge, index, number }, priority }))
    await queues.addParts(merge, parts, queue().attempts)
    await store.handOver(hold)
    dispatcher.nudge(tenant)
  }

  async #finish(hold: JobHold, { result, saved, usage }: Finished): Promise<string> {
    const isOurs = await this.#deps.store.end(hold, { status: 'succeeded', error: null, result, saved, usage })
    if (!isOurs) throw new JobStopped('lost')
    this.#told(hold.job, 'succeeded', usage)
    return 'succeeded'
  }

  /** Every way in which work on a held job can end badly, as the record and the queue are told of it. */
  async #settling(hold: JobHold, work: () => Promise<string>): Promise<string> {
    try {
      return await work()
    } catch (thrown) {
      return await this.#settle(hold, thrown)
    }
  }

  async #settle(hold: JobHold, thrown: unknown): Promise<string> {
    const { store, office, log, dispatcher } = this.#deps
    const { job } = hold
    if (thrown instanceof JobStopped) {
      switch (thrown.why) {
        case 'lost':
          return thrown.why
        case 'stopping':
          await office.giveBack(hold)
          return thrown.why
        case 'canceled': {
          const isOurs = await store.end(hold, {
            status: 'canceled',
            error: null,
            result: null,
            saved: null,
            usage: null,
          })
          if (isOurs) this.#told(job, 'canceled')
          return thrown.why
        }
      }
    }
    const { error, isPassing, retryAfter, isBug } = judgeFault(thrown)
    if (isBug) log.error({ jobId: job.id, type: job.type, err: thrown }, 'a job failed for a reason of ours')
    if (isPassing) {
      const wait = retryWait(job.attempt, retryAfter, Math.random())
      const status = await store.postpone(hold, error, wait)
      log.info({ jobId: job.id, type: job.type, code: error.code, status }, 'a job failed for now')
      if (status === 'queued') dispatcher.nudgeIn(job.tenant, wait)
      if (status === 'failed' || status === 'canceled') this.#told(job, status, null, error.code)
      return status
    }
    const isOurs = await store.end(hold, { status: 'failed', error, result: null, saved: null, usage: null })
    if (!isOurs) return 'lost'
    log.info({ jobId: job.id, type: job.type, code: error.code }, 'a job failed')
    this.#told(job, 'failed', null, error.code)
    throw new UnrecoverableError(error.code)
  }

  #told(job: Job, status: JobStatus, usage: JobUsage | null = null, error: string | null = null): void {
    const { metrics, clock, dispatcher, changed } = this.#deps
    metrics.jobsEnded.inc({ type: job.type, status })
    if (job.startedAt !== null) {
      metrics.jobSeconds.observe({ type: job.type, status }, between(job.startedAt, clock.now()) / 1_000)
    }
    tellJob(job, { status, usage, error }, clock.now())
    dispatcher.nudge(job.tenant)
    changed(job.tenant)
  }
}

/** A part that may succeed with its next try; the queue reads how long to wait before that. */
export class PassingFailure extends Error {
  override readonly name = 'PassingFailure'
  readonly retryAfterMs: number | null
  constructor(reason: string, retryAfterMs: number | null) {
    super(reason)
    this.retryAfterMs = retryAfterMs
  }
}

/** The parts that have no result, with the reasons they gave. `failures`: by the name of their run. */
function failedParts(failures: Readonly<Record<string, string>>): FailedPart[] {
  return Object.entries(failures).map(([name, reason]) => ({
    index: Number(name.slice(name.lastIndexOf('-') + 1)),
    error: readReason(reason),
  }))
}

function readReason(reason: string): FailedPart['error'] {
  try {
    const { code, message, retryable } = JSON.parse(reason) as FailedPart['error']
    return { code, message, retryable }
  } catch {
    // The queue's own words, where workers died over it.
    return { code: 'internal', message: 'a part of the job could not be done', retryable: true }
  }
}
