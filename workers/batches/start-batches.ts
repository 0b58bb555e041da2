import type { Clock } from '../../src/clock.ts'
import type { Config } from '../../src/config/config.ts'
import { jobLimitsOf } from '../../src/config/job-limits.ts'
import { FileDesk } from '../../src/files/file-desk.ts'
import { JobDesk } from '../../src/jobs/job-desk.ts'
import type { Log } from '../../src/log.ts'
import type { MediaTools } from '../../src/media/media-tools.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { BatchStore } from '../../src/store/batches.ts'
import { FileStore } from '../../src/store/files.ts'
import { JobFeed } from '../../src/store/jobs/job-feed.ts'
import { RedisJobStore } from '../../src/store/jobs/redis-job-store.ts'
import { connectForFeed, connectForQueue } from '../../src/store/redis.ts'
import type { Store } from '../../src/store/store.ts'
import { StoreMemory } from '../../src/store/store-memory.ts'
import type { Ms } from '../../src/units.ts'
import { BatchRunner } from './batch-runner.ts'

export interface BatchWorkerDeps {
  readonly clock: Clock
  readonly log: Log
  readonly store: Pick<Store, 'place'>
  /** As it stands now: replaced on reload. */
  readonly config: () => Config
  readonly storage: Storage
  readonly tools: Pick<MediaTools, 'probe'> | null
  /** How long a silent process has its batches. */
  readonly lease?: Ms
}

/** Starts this process's share of the work on batches. Dispose to stop it, at a line. */
export function startBatches({ clock, log, store, config, storage, tools, lease }: BatchWorkerDeps): AsyncDisposable {
  using stack = new DisposableStack()
  const redis = connectForQueue(store.place, log)
  stack.defer(() => redis.disconnect())
  const feed = stack.use(new JobFeed(connectForFeed(store.place, log)))
  const queue = () => config().media.queue
  const jobs = new RedisJobStore(redis, { limits: (tenant) => jobLimitsOf(config(), tenant), queue })
  const files = new FileStore(redis)
  const desk = new FileDesk({ clock, log, storage, files, tools, config })
  const jobDesk = new JobDesk({ clock, jobs, feed, files, desk, storage, config })
  const batches = new BatchStore(redis, () => queue().keepRecords, lease)
  const runner = new BatchRunner({
    ...{ clock, log, batches, jobs, jobDesk, files, desk, storage, config },
    memory: new StoreMemory(redis, clock),
  })
  const rest = stack.move()
  return {
    [Symbol.asyncDispose]: async () => {
      await runner[Symbol.asyncDispose]()
      rest[Symbol.dispose]()
    },
  }
}
