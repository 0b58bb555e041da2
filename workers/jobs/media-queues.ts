import { type DefaultJobOptions, FlowProducer, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Log } from '../../src/log.ts'
import { queueTelemetry } from './queue-telemetry.ts'

/** One hash tag for all of them, because a flow reaches over two queues and a Redis Cluster keeps it on one node. */
export const MEDIA_PREFIX = '{mq:media}'
export const QUEUES = { jobs: 'parley-jobs', pieces: 'parley-pieces', merges: 'parley-merges' } as const

/** A job's turn: pointers only. The record is read when it comes. */
export const JobTurn = z.object({
  tenant: z.string(),
  id: z.string(),
  /** Which of its runs this is. */
  dispatch: z.number(),
  /** In the fair order. */
  number: z.number(),
})
export type JobTurn = z.infer<typeof JobTurn>

/** The turn of what a prepared job's parts make. `token`: the hold under which it was prepared. */
export const MergeTurn = z.object({ tenant: z.string(), id: z.string(), dispatch: z.number(), token: z.string() })
export type MergeTurn = z.infer<typeof MergeTurn>

/** The turn of one part of a prepared job. */
export const PieceTurn = MergeTurn.extend({ index: z.number(), number: z.number() })
export type PieceTurn = z.infer<typeof PieceTurn>

/** Names in the queue: the same run asked for twice is one run. */
export const runName = ({ id, dispatch }: { id: string; dispatch: number }) => `${id}-${dispatch}`
export const mergeName = ({ id, dispatch }: { id: string; dispatch: number }) => `${id}-${dispatch}-all`
export const pieceName = ({ id, dispatch, index }: PieceTurn) => `${id}-${dispatch}-${index}`

/** The record is the truth, so nothing of what has succeeded is kept; what has failed is kept a day for people to look at. */
const FINISHED: DefaultJobOptions = {
  removeOnComplete: true,
  removeOnFail: { age: 86_400, count: 1_000 },
  stackTraceLimit: 5,
  sizeLimit: 4_096,
}

/** The queues of the batch door, from their producers' side. */
export class MediaQueues implements AsyncDisposable {
  readonly jobs: Queue
  readonly pieces: Queue
  readonly merges: Queue
  readonly flows: FlowProducer

  /** `connection`: one that waits for Redis as long as it takes; it stays the caller's to close. */
  constructor(connection: Redis, log: Log) {
    const telemetry = queueTelemetry()
    const options = {
      connection,
      prefix: MEDIA_PREFIX,
      streams: { events: { maxLen: 1_000 } },
      defaultJobOptions: FINISHED,
      ...telemetry,
    }
    this.jobs = new Queue(QUEUES.jobs, options)
    this.pieces = new Queue(QUEUES.pieces, options)
    this.merges = new Queue(QUEUES.merges, options)
    this.flows = new FlowProducer({ connection, prefix: MEDIA_PREFIX, ...telemetry })
    const onError = (error: Error) => log.debug({ why: error.message }, 'queue waits')
    this.jobs.on('error', onError)
    this.pieces.on('error', onError)
    this.merges.on('error', onError)
    this.flows.on('error', onError)
  }

  async addRun(turn: JobTurn, priority: number): Promise<void> {
    await this.jobs.add('run', turn, { jobId: runName(turn), priority })
  }

  /** The parts, each with its priority, and what is made of them once each has succeeded or failed for good. */
  async addParts(
    merge: MergeTurn,
    parts: readonly { turn: PieceTurn; priority: number }[],
    tries: number,
  ): Promise<void> {
    await this.flows.add({
      name: 'merge',
      queueName: QUEUES.merges,
      data: merge,
      opts: { ...FINISHED, jobId: mergeName(merge) },
      children: parts.map(({ turn, priority }) => ({
        name: 'piece',
        queueName: QUEUES.pieces,
        data: turn,
        opts: {
          ...FINISHED,
          jobId: pieceName(turn),
          priority,
          attempts: tries,
          backoff: { type: 'custom' },
          // Else a part that fails for good would let the whole wait for ever.
          ignoreDependencyOnFailure: true,
        },
      })),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.jobs, this.pieces, this.merges, this.flows].map((each) => each.close()))
  }
}
