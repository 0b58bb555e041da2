import { join } from 'node:path'
import { Registry } from 'prom-client'
import { systemClock } from '../../src/clock.ts'
import type { Config } from '../../src/config/config.ts'
import { jobLimitsOf } from '../../src/config/job-limits.ts'
import { configFrom } from '../../src/config/read-config.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import { FileDesk } from '../../src/files/file-desk.ts'
import type { Log } from '../../src/log.ts'
import type { Job } from '../../src/media/job.ts'
import { JOB_TYPES, type JobType } from '../../src/media/job-request.ts'
import { MediaMetrics } from '../../src/metrics.ts'
import { Fetcher } from '../../src/net/fetcher.ts'
import { openStorage } from '../../src/storage/open-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { FileStore } from '../../src/store/files.ts'
import type { JobNews } from '../../src/store/jobs/back-office.ts'
import { RedisJobStore } from '../../src/store/jobs/redis-job-store.ts'
import { connectForQueue, connectRedis, type RedisPlace } from '../../src/store/redis.ts'
import { NO_USAGE, NOTHING_SAVED } from '../../workers/jobs/accounts.ts'
import { startMediaWorkers } from '../../workers/jobs/media-workers.ts'
import type { Finished, Processor } from '../../workers/jobs/processor.ts'
import { Scratch } from '../../workers/jobs/scratch.ts'
import { eventually } from './eventually.ts'
import { policy, silent } from './parley.ts'

export const finished = (json: unknown): Finished => ({
  type: 'finished',
  result: { kind: 'inline', json },
  saved: NOTHING_SAVED,
  usage: NO_USAGE,
})

/** The same processor for jobs of every type. */
export const forAll = (processor: Processor) =>
  Object.fromEntries(JOB_TYPES.map((type) => [type, processor])) as Record<JobType, Processor>

export interface MediaWorld {
  readonly config: Config
  readonly store: RedisJobStore
  readonly storage: Storage
  readonly files: FileStore
  readonly desk: FileDesk
  readonly news: JobNews[]
  /** One more worker process's worth of workers, the caller's to end. */
  workers(processors: Record<JobType, Processor>, log?: Log): Promise<AsyncDisposable>
  /** The job once it has ended. */
  ended(job: Pick<Job, 'tenant' | 'id'>): Promise<Job>
}

/** The batch door without its HTTP side: a store, a folder, and workers that do what the test says. */
export async function mediaWorld(
  place: RedisPlace,
  folder: string,
  stack: AsyncDisposableStack,
  changes: Partial<PolicyInput> = {},
): Promise<MediaWorld> {
  const config = configFrom(policy(null, folder, changes))
  const patient = connectForQueue(place, silent)
  stack.defer(() => patient.disconnect())
  const storage = await openStorage(config, systemClock.now())
  const files = new FileStore(patient)
  const desk = new FileDesk({ clock: systemClock, log: silent, storage, files, tools: null, config: () => config })
  const limits = (tenant: string) => jobLimitsOf(config, tenant)
  const store = new RedisJobStore(patient, { limits, queue: () => config.media.queue })
  const news: JobNews[] = []
  const hasEnded = async ({ tenant, id }: Pick<Job, 'tenant' | 'id'>) => {
    const job = await store.read(tenant, id)
    if (job === null || job.endedAt === null) throw new Error(`the job has not ended: ${job?.status}`)
    return job
  }
  return {
    ...{ config, store, storage, files, desk, news },
    workers: async (processors, log = silent) => {
      const own = new AsyncDisposableStack()
      const redis = connectRedis(place, silent)
      own.defer(() => redis.disconnect())
      await redis.connect()
      const fetcher = new Fetcher(() => config.outbound, systemClock)
      // Processors of tests touch neither tools nor providers.
      const absent = { media: null as never, calls: null as never }
      own.use(
        await startMediaWorkers({
          ...{ clock: systemClock, log, store: { redis, place }, config: () => config, processors },
          metrics: new MediaMetrics(new Registry()),
          workshop: { clock: systemClock, config: () => config, storage, files, desk, fetcher, ...absent },
          scratch: own.use(await Scratch.open(join(folder, 'scratch'))),
          publish: async (_tenant, each) => void news.push(each),
          hopeless: () => undefined,
        }),
      )
      return own
    },
    ended: async (job) => {
      await eventually(async () => void (await hasEnded(job)), 60_000)
      return hasEnded(job)
    },
  }
}
