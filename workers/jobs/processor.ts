import type { MediaCalls } from '../../src/calls/media-calls.ts'
import type { Clock } from '../../src/clock.ts'
import type { Config } from '../../src/config/config.ts'
import type { FileDesk } from '../../src/files/file-desk.ts'
import type { Job, JobError, JobResult, JobUsage, Progress, Saved } from '../../src/media/job.ts'
import type { MediaTools } from '../../src/media/media-tools.ts'
import type { Fetcher } from '../../src/net/fetcher.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { FileStore } from '../../src/store/files.ts'
import type { Ms } from '../../src/units.ts'

/** What every processor works with, whatever its job. */
export interface Workshop {
  readonly clock: Clock
  readonly config: () => Config
  readonly media: MediaTools
  readonly calls: MediaCalls
  readonly storage: Storage
  readonly files: FileStore
  readonly desk: FileDesk
  readonly fetcher: Fetcher
}

/** The same for one job, or for one part of one. */
export interface JobTools extends Workshop {
  /** An empty folder of its own, gone with everything in it when the processor has returned. */
  readonly folder: string
  progress(progress: Progress): void
  /** One of the job's parts has its result. */
  partDone(index: number, total: number): void
  /** A part of the result, for whoever follows. */
  segment(data: unknown): void
}

export interface Finished {
  readonly type: 'finished'
  readonly result: JobResult
  readonly saved: Saved
  readonly usage: JobUsage
}

/** The job comes apart: each part is done by whoever is free, and then all are put together. */
export interface Parted {
  readonly type: 'parted'
  /** Expected work of each part. */
  readonly costs: readonly Ms[]
}

/** A part that failed for good. */
export interface FailedPart {
  readonly index: number
  readonly error: JobError
}

/**
 * How jobs of one type are done. Any of these may be called again for the same job, or in two processes at once: what they
 * leave behind is named after what it is made from, and whole or not there. They throw FaultError for what the owner is told;
 * anything else is a mistake of ours.
 */
export interface Processor {
  run(job: Job, tools: JobTools, signal: AbortSignal): Promise<Finished | Parted>
}

export interface PartedProcessor extends Processor {
  part(job: Job, index: number, tools: JobTools, signal: AbortSignal): Promise<void>
  /** `failed`: parts without a result. Throws where the whole has none then. */
  merge(job: Job, failed: readonly FailedPart[], tools: JobTools, signal: AbortSignal): Promise<Finished>
}

export const isParted = (processor: Processor): processor is PartedProcessor => 'merge' in processor
