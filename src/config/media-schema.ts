import { z } from 'zod'
import { count, duration, size } from './quantities.ts'

const share = z.number().min(0).max(1)

export const storage = z
  .discriminatedUnion('type', [
    /** `path` left out: `media` in the data folder. */
    z.strictObject({ type: z.literal('folder'), path: z.string().min(1).optional() }),
    z.strictObject({
      type: z.literal('s3'),
      bucket: z.string().min(3).max(63),
      region: z.string().min(1).default('us-east-1'),
      /** Left out: Amazon's own. */
      endpoint: z.url().optional(),
      accessKeyId: z.string().min(1).optional(),
      secretAccessKey: z.string().min(1).optional(),
      pathStyle: z.boolean().default(true),
    }),
  ])
  .prefault({ type: 'folder' })
  .meta({ description: 'Where uploads and results lie' })

/** The batch door. */
export const media = z
  .strictObject({
    storage,
    tools: z
      .strictObject({
        /** Left out: FFMPEG_PATH, then one of the system from 5.1 on, then the one of the package. */
        ffmpeg: z.string().min(1).optional(),
        /** Child processes for the work on media, in each worker process. */
        processes: z.int().min(1).max(64).default(2),
        memory: size.prefault('768MiB').meta({ description: 'Address space beyond the code of one child process' }),
        longestAudio: duration.prefault('12h'),
        mostPixels: z.int().min(1_000_000).max(200_000_000).default(40_000_000),
      })
      .prefault({}),
    /** What jobs that name no model are done with. Left out: the first model of that kind. */
    models: z
      .strictObject({ transcription: z.string().min(1).optional(), vision: z.string().min(1).optional() })
      .prefault({}),
    uploads: z
      .strictObject({
        largest: size.prefault('25MiB').meta({ description: 'In one request' }),
        largestResumable: size.prefault('2GiB'),
        keepUnfinished: duration.prefault('24h'),
        keepUnused: duration.prefault('24h').meta({ description: 'A file that no job has used' }),
        reserve: size.prefault('256MiB').meta({ description: 'Free disk below which nothing is taken' }),
      })
      .prefault({}),
    queue: z
      .strictObject({
        /** Jobs, and pieces of jobs, that one worker process has in hand. */
        jobs: z.int().min(1).max(256).default(4),
        calls: z.int().min(1).max(256).default(8),
        attempts: z.int().min(1).max(10).default(3),
        mostStarts: z.int().min(2).max(20).default(5),
        keepRecords: duration.prefault('168h'),
        keepEvents: duration.prefault('24h'),
      })
      .prefault({}),
    calls: z
      .strictObject({
        perProvider: z.int().min(1).max(1_000).default(8),
        timeout: duration.prefault('10m'),
        attempts: z.int().min(1).max(10).default(4),
        backoff: z.strictObject({ first: duration.prefault('500ms'), longest: duration.prefault('30s') }).prefault({}),
        /** Share of calls that may be retries before the queue slows down. */
        retryShare: share.default(0.02),
        breaker: z
          .strictObject({ failures: z.int().min(1).max(100).default(5), probeEvery: duration.prefault('10s') })
          .prefault({}),
        /** Mean log probability below which a transcription is asked again of the larger model. */
        escalateBelow: z.number().max(0).default(-0.6),
        /** From a small model to the one asked where its answer is not sure enough. */
        escalations: z.record(z.string(), z.string()).default({}),
        keepAnswers: duration.prefault('24h'),
      })
      .prefault({}),
  })
  .prefault({})

/** What a tenant's jobs may take. Null: no limit. */
export const planJobs = z
  .strictObject({
    running: count.nullable().prefault(4),
    waiting: count.nullable().prefault(10_000),
    /** Weight in the fair order among tenants. */
    weight: z.int().min(1).max(100).default(1),
    storage: size.nullable().prefault('10GiB'),
    files: count.nullable().prefault(100_000),
    requestsPerMinute: count.nullable().prefault(600),
  })
  .prefault({})
  .meta({ description: 'Media jobs of a tenant at once, waiting, and what its files may take' })
