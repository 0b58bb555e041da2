import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import type { FileDesk } from '../files/file-desk.ts'
import { InvalidRequest } from '../invalid-request.ts'
import type { JobDesk } from '../jobs/job-desk.ts'
import { orderJob } from '../jobs/job-order.ts'
import type { Log } from '../log.ts'
import { idFrom } from '../media/ids.ts'
import type { Job } from '../media/job.ts'
import type { JobStore } from '../media/job-store.ts'
import { blobName, type Storage } from '../storage/storage.ts'
import type { BatchHold, BatchPatch, BatchStore, ResultSheet } from '../store/batches.ts'
import type { FileStore } from '../store/files.ts'
import type { StoreMemory } from '../store/store-memory.ts'
import { traceparentOf } from '../traces/traceparent.ts'
import { traced } from '../traces/tracer.ts'
import { later, type Ms, ms } from '../units.ts'
import { type Batch, BatchLost, type Cursor, type LineError } from './batch.ts'
import { type BatchLine, errorsOf, type RawLine, rawLines } from './batch-lines.ts'

export interface BatchDeps {
  readonly clock: Clock
  readonly log: Log
  readonly batches: BatchStore
  readonly jobs: JobStore
  readonly jobDesk: JobDesk
  readonly files: FileStore
  readonly desk: FileDesk
  readonly storage: Storage
  readonly config: () => Config
  readonly memory: Pick<StoreMemory, 'isTight'>
}

/** What one process does on one batch: reads its input, makes its jobs, and writes down how far it has come. */
export class BatchWork {
  readonly deps: BatchDeps
  #hold: BatchHold

  constructor(deps: BatchDeps, hold: BatchHold) {
    this.deps = deps
    this.#hold = hold
  }

  /** As it stands since the last thing that was written. */
  get batch(): Batch {
    return this.#hold.batch
  }

  /** Throws BatchLost. `again`: gives it back, for whoever looks after that. */
  async write(patch: BatchPatch, again: Ms | null = null): Promise<void> {
    const next = await this.deps.batches.write(this.#hold, patch, again)
    if (next === null) throw new BatchLost()
    this.#hold = next
  }

  async refuse(error: LineError): Promise<void> {
    if (!(await this.deps.batches.refuse(this.#hold, error))) throw new BatchLost()
  }

  /** Notes what lines are called; resolves with the numbers of those whose name another had before. Throws BatchLost. */
  async names(lines: readonly { number: number; name: string }[]): Promise<number[]> {
    const taken = await this.deps.batches.names(this.#hold, lines)
    if (taken === null) throw new BatchLost()
    return taken
  }

  /** The results of the lines before `next` lie in storage. Throws BatchLost. */
  async addSheet(next: Cursor, sheet: ResultSheet): Promise<void> {
    const hold = await this.deps.batches.sheet(this.#hold, next, sheet)
    if (hold === null) throw new BatchLost()
    this.#hold = hold
  }

  /** The lines of the input from a place on. Rejects with `not_found` where the input is gone. */
  async *lines(from: Cursor): AsyncGenerator<RawLine> {
    const { tenant, inputFileId } = this.batch
    const name = blobName(tenant, inputFileId)
    const size = await this.deps.storage.size(name)
    if (size === null) throw new FaultError('not_found', 'The input of the batch is gone.')
    if (from.offset >= size) return
    yield* rawLines(await this.deps.storage.read(name, { first: from.offset, last: size - 1 }), from)
  }

  /** The job of a line, as whoever makes it again would make it. */
  jobId(line: number): string {
    const { id, createdAt } = this.batch
    const bits = createHash('sha256').update(`${id} ${line}`).digest().subarray(0, 8)
    return idFrom('job', createdAt, bits)
  }

  /** Throws InvalidRequest. What the caller has not said is as suits a batch: behind single jobs, and kept to its end. */
  order(line: number, { customId, request, said }: BatchLine): Job {
    const { tenant, keyId, id, expiresAt } = this.batch
    const { config, clock } = this.deps
    const now = clock.now()
    const context = { config: config(), principal: { tenant, keyId }, now, cancelAfter: null }
    const order = orderJob(request, { ...context, id: this.jobId(line), batch: { id, customId } })
    const output = ms(Math.max(order.retention.output, expiresAt - now + KEPT_AFTER))
    // Lines to come may name the same file; what came inside of a line no other line can name.
    const input = order.input.file_id === undefined ? order.retention.input : output
    return {
      ...order,
      ...(said.priority === undefined ? { priority: 'low' as const } : {}),
      ...(said.retention === undefined ? { retention: { input, output } } : {}),
      expiresAt: said.expires_after_ms === undefined ? later(expiresAt, KEPT_AFTER) : order.expiresAt,
    }
  }

  /** Makes the job of a line, once however often it is asked for; `full`: not now, because there is no room for more that waits. */
  async make(line: number, content: BatchLine, signal: AbortSignal): Promise<'made' | 'refused' | 'full'> {
    // Made by somebody who died before writing so: its input may be gone by now.
    if ((await this.deps.jobs.read(this.batch.tenant, this.jobId(line))) !== null) return 'made'
    if (await this.deps.memory.isTight()) return 'full'
    try {
      const { id, tenant } = this.batch
      const attributes = { 'parley.batch.id': id, 'parley.tenant': tenant }
      await traced('batch line', { attributes }, () => {
        const order = { ...this.order(line, content), trace: traceparentOf() }
        return this.deps.jobDesk.create(order, null, signal, { batchHold: this.#hold.token })
      })
      return 'made'
    } catch (error) {
      if (error instanceof FaultError && error.code === 'queue_full') return 'full'
      const [first] = refusalOf(line, error)
      if (first === undefined) throw error
      await this.refuse(first)
      return 'refused'
    }
  }
}

/** How long results stay after the window of their batch: until the last of them has been written down. */
const KEPT_AFTER = ms(24 * 3_600_000)

/** What the caller can do something about; what may pass by itself is nobody's refusal. */
function refusalOf(line: number, error: unknown): LineError[] {
  if (error instanceof InvalidRequest) return errorsOf(line, error, '/body')
  const isFinal = error instanceof FaultError && error.retryAfterMs === null && !PASSING.includes(error.code)
  return isFinal ? [{ line, code: error.code, message: error.message, param: '/body' }] : []
}

const PASSING: readonly string[] = ['store_unavailable', 'storage_unavailable', 'overloaded', 'internal']
