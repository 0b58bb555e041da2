import { Queue, Worker } from 'bullmq'
import type { Clock } from '../../src/clock.ts'
import type { Config } from '../../src/config/config.ts'
import { jobLimitsOf } from '../../src/config/job-limits.ts'
import type { Log } from '../../src/log.ts'
import type { JobType } from '../../src/media/job-request.ts'
import type { MediaMetrics } from '../../src/metrics.ts'
import { BatchStore } from '../../src/store/batches.ts'
import { BackOffice } from '../../src/store/jobs/back-office.ts'
import { FairOrder } from '../../src/store/jobs/fair-order.ts'
import { RedisJobStore } from '../../src/store/jobs/redis-job-store.ts'
import { connectForQueue, type RedisPlace } from '../../src/store/redis.ts'
import type { Store } from '../../src/store/store.ts'
import { ms } from '../../src/units.ts'
import { closeWorker } from '../close-worker.ts'
import { cleanUp } from './clean-up.ts'
import { countOrphans } from './count-orphans.ts'
import { Dispatcher } from './dispatcher.ts'
import { JobOrders } from './job-orders.ts'
import { JobWorker, PassingFailure } from './job-worker.ts'
import { retryWait } from './judge-fault.ts'
import { MEDIA_PREFIX, MediaQueues } from './media-queues.ts'
import { PerTenant } from './per-tenant.ts'
import type { Processor, Workshop } from './processor.ts'
import type { Scratch } from './scratch.ts'
import { sweepJobs } from './sweep-jobs.ts'
import { type TellNewsDeps, tellNews } from './tell-news.ts'
import { WatchedWorker } from './watched-worker.ts'

export interface MediaWorkersDeps {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: MediaMetrics
  readonly store: Pick<Store, 'redis' | 'place'>
  /** As it stands now: replaced on reload. */
  readonly config: () => Config
  readonly processors: Readonly<Record<JobType, Processor>>
  readonly workshop: Workshop
  readonly scratch: Scratch
  readonly publish: TellNewsDeps['publish']
  /** Nothing that this process tries brings its workers to work. */
  readonly hopeless: () => void
}

const CHORES = 'parley-job-chores'
const SWEEP_EVERY_MS = 5_000
const DAY_MS = 86_400_000
/** A sweep whose worker died is another's after this, ms. */
const CHORE_LOCK_MS = 30_000
/** Merges read and write files of one job; a few at once are enough for any number of calls. */
const MERGES_AT_ONCE = 2

/** Starts this process's share of the batch door. Dispose to drain it, within bounds. */
export async function startMediaWorkers(deps: MediaWorkersDeps): Promise<AsyncDisposable> {
  const { clock, log, metrics, store, config, workshop } = deps
  await using stack = new AsyncDisposableStack()
  const connect = (place: RedisPlace) => {
    const redis = connectForQueue(place, log)
    stack.defer(() => redis.disconnect())
    return redis
  }
  const connection = connect(store.place)
  const own = connect(store.place)
  const limits = (tenant: string) => jobLimitsOf(config(), tenant)
  const queue = () => config().media.queue
  const jobs = new RedisJobStore(own, { limits, queue })
  const office = new BackOffice(own, { limits, queue })
  const order = { jobs: new FairOrder(own, 'jobs'), pieces: new FairOrder(own, 'pieces') }
  const queues = stack.use(new MediaQueues(connection, log))
  const dispatcher = stack.use(new Dispatcher({ clock, log, office, order: order.jobs, queues, limits }))
  const orders = stack.use(new JobOrders(connectForQueue(store.place, log), (tenant) => dispatcher.nudge(tenant), log))
  const stopping = new AbortController()
  const cutOff = () => stopping.abort(new Error('the worker is stopping'))

  const follow = async (tenant: string, signal: AbortSignal) => {
    await tellNews({ log, office, publish: deps.publish }, tenant)
    await cleanUp({ log, store: jobs, office, storage: workshop.storage, desk: workshop.desk }, tenant, signal)
  }
  const followers = stack.use(new PerTenant((tenant) => follow(tenant, stopping.signal), clock, log))
  const changed = (tenant: string) => followers.nudge(tenant)
  const adapter = new JobWorker({
    ...{
      clock,
      log,
      metrics,
      store: jobs,
      office,
      orders,
      dispatcher,
      queues,
      order,
      workshop,
      limits,
      queue,
      changed,
    },
    ...{ processors: deps.processors, scratch: deps.scratch, stopping: stopping.signal },
  })

  const worker = (
    name: 'jobs' | 'pieces' | 'merges',
    concurrency: () => number,
    process: WatchedOptions['process'],
  ) => {
    const { attempts, mostStarts } = queue()
    return new WatchedWorker({
      ...{ queue: queues[name], process, concurrency, connection, redis: store.redis, clock, log, metrics, cutOff },
      hopeless: deps.hopeless,
      settings: { backoffStrategy: waitOf },
      // A job counts its own starts; of a part only the queue knows.
      ...(name === 'jobs' ? {} : { maxStartedAttempts: attempts + mostStarts }),
    })
  }
  const workers = [
    worker(
      'merges',
      () => MERGES_AT_ONCE,
      (run) => adapter.merge(run),
    ),
    worker(
      'pieces',
      () => queue().calls,
      (run) => adapter.piece(run),
    ),
    worker(
      'jobs',
      () => queue().jobs,
      (run, lock) => adapter.run(run, lock),
    ),
  ]
  // Together, so that one patience is enough for all.
  stack.defer(async () => void (await Promise.all(workers.map((each) => each[Symbol.asyncDispose]()))))

  const chores = new Queue(CHORES, { connection, prefix: MEDIA_PREFIX, streams: { events: { maxLen: 100 } } })
  chores.on('error', (error) => log.debug({ why: error.message }, 'queue waits'))
  stack.defer(() => chores.close())
  const template = { name: 'sweep', opts: { removeOnComplete: 10, removeOnFail: 10 } }
  await chores.upsertJobScheduler('sweep', { every: SWEEP_EVERY_MS }, template)
  await chores.upsertJobScheduler('count-orphans', { every: DAY_MS }, { ...template, name: 'count-orphans' })
  const { storage, files } = workshop
  const batches = new BatchStore(own, () => queue().keepRecords)
  const sweeper = new Worker(
    CHORES,
    async ({ name }) => {
      if (name === 'count-orphans') {
        await countOrphans({ log, metrics, storage, files, store: jobs, office, batches }, stopping.signal)
        return
      }
      await sweepJobs({ log, metrics, office, queues, dispatcher, follow }, stopping.signal)
      await workshop.desk.sweep(stopping.signal)
    },
    // A count that takes long must not keep the sweep from being done.
    { connection, prefix: MEDIA_PREFIX, concurrency: 2, lockDuration: CHORE_LOCK_MS, stalledInterval: CHORE_LOCK_MS },
  )
  sweeper.on('failed', (_run, error) => log.warn({ why: error.message }, 'jobs were not swept'))
  sweeper.on('error', (error) => log.debug({ why: error.message }, 'worker waits'))
  stack.defer(() => closeWorker(sweeper, store.redis, cutOff))
  return stack.move()
}

type WatchedOptions = ConstructorParameters<typeof WatchedWorker>[0]

/** How long a part that failed for now waits before its next try. */
function waitOf(failed: number, _type: string | undefined, error: Error | undefined): number {
  const asked = error instanceof PassingFailure ? error.retryAfterMs : null
  return retryWait(failed, asked === null ? null : ms(asked), Math.random())
}
