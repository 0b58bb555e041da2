import { BatchLost } from '../batches/batch.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import type { FileDesk } from '../files/file-desk.ts'
import { invalid } from '../invalid-request.ts'
import { isEnded, type Job } from '../media/job.ts'
import type { Created, Idempotency, JobStore } from '../media/job-store.ts'
import type { Probed } from '../media/media-tools.ts'
import type { Storage } from '../storage/storage.ts'
import type { FileStore } from '../store/files.ts'
import type { JobFeed } from '../store/jobs/job-feed.ts'
import { later, type Ms, ms } from '../units.ts'
import { expectedWork, inputNeededUntil } from './job-order.ts'
import { untilEnded } from './until-ended.ts'

export interface JobDeskDeps {
  clock: Clock
  jobs: JobStore
  feed: JobFeed
  files: FileStore
  desk: FileDesk
  storage: Storage
  config(): Config
}

/** How long the end of a job that is to be deleted is waited for. */
const END_WITHIN = ms(10_000)
/** A job that has not been made by then never will be, so its input is nobody's. */
const MADE_WITHIN = ms(60_000)
const INLINE_KEPT = ms(3_600_000)

/** Jobs together with their input and output: made with a claim on the one, erased with both. */
export class JobDesk {
  readonly #deps: JobDeskDeps

  constructor(deps: JobDeskDeps) {
    this.#deps = deps
  }

  /**
   * Makes a job. Throws InvalidRequest where its input is not there or not of its kind, `queue_full`, `idempotency_mismatch`,
   * and what taking in an inline input rejects with. A job that the same request has made before comes back as `replayed`;
   * `admit` is asked about a new one, and refuses it by throwing. `batchHold`: of whoever feeds the batch it belongs to; throws
   * BatchLost where another does now.
   */
  async create(
    job: Job,
    idempotency: Idempotency | null,
    signal: AbortSignal,
    { admit, batchHold }: { admit?: () => Promise<void>; batchHold?: string } = {},
  ): Promise<Extract<Created, { job: Job }>> {
    const { desk, jobs } = this.#deps
    const { tenant } = job
    const known = idempotency === null ? null : await jobs.known(tenant, idempotency)
    if (known !== null) return taken(known)
    await admit?.()

    const inline = job.input.data === undefined ? null : await this.#takeInline(job, job.input.data, signal)
    const fileId = inline ?? job.input.file_id ?? null
    let used: string | null = null
    try {
      const media = fileId === null ? null : await this.#claim(job, fileId)
      const order = inline === null ? job : { ...job, input: { file_id: inline } }
      const inputUntil = inputNeededUntil(job)
      const created = await jobs.create(order, idempotency, expectedWork(job.type, media), { batchHold, inputUntil })
      if (created.type === 'created') used = created.job.input.file_id ?? null
      else if (fileId !== null) await desk.release(tenant, fileId, job.id, null)
      return taken(created)
    } finally {
      // Of a hundred equal requests ninety-nine brought an input that nobody needs; so did one that is made once more.
      if (inline !== null && used !== inline) await this.#dropInline(job, inline)
    }
  }

  /** A new attempt of a failed job. Null for an id that never was; throws `wrong_state` for others. */
  async retry(tenant: string, id: string): Promise<Job | null> {
    const { jobs, files } = this.#deps
    const job = await jobs.read(tenant, id)
    if (job === null) return null
    const { file_id } = job.input
    if (job.status === 'failed' && file_id !== undefined) {
      const until = later(this.#deps.clock.now(), ms(inputNeededUntil(job) - job.createdAt))
      if (!(await files.claim(tenant, file_id, id, until))) {
        throw new FaultError('wrong_state', 'The input of this job is not kept any more: make a new one.')
      }
    }
    return jobs.retry(tenant, id)
  }

  /**
   * Erases a job with input, output, result and events; what it cost stays in the ledger. Resolves once all of it is gone;
   * false for an id that never was. One that runs is asked to end first; throws `wrong_state` when it does not.
   */
  async erase(tenant: string, id: string, signal: AbortSignal): Promise<boolean> {
    const { jobs, feed, clock, desk, storage } = this.#deps
    let job = await jobs.cancel(tenant, id)
    if (job === null) return false
    if (!isEnded(job.status)) job = (await untilEnded({ jobs, feed, clock }, job, END_WITHIN, signal)) ?? job
    if (!isEnded(job.status)) {
      throw new FaultError('wrong_state', 'The job is still about to end: try again in a moment.', {
        retryAfterMs: 2_000,
      })
    }
    if (job.input.file_id !== undefined) await desk.release(tenant, job.input.file_id, id, ms(0))
    for (const fileId of outputsOf(job)) await desk.remove(tenant, fileId)
    await storage.removeAll(`${tenant}/${id}`)
    await jobs.remove(tenant, id)
    return true
  }

  async #takeInline(job: Job, data: string, signal: AbortSignal): Promise<string> {
    const bytes = Buffer.from(data, 'base64')
    async function* source() {
      yield bytes
    }
    const { tenant, keyId } = job
    const order = { tenant, keyId, filename: null, most: bytes.length, keep: INLINE_KEPT as Ms }
    return (await this.#deps.desk.take({ ...order, purpose: () => 'media' }, source(), signal)).id
  }

  /** Removes an inline input, unless the job was made with it although nobody said so. */
  async #dropInline({ tenant, id }: Job, inline: string): Promise<void> {
    const { jobs, files, desk } = this.#deps
    if ((await jobs.read(tenant, id))?.input.file_id === inline) return
    await files.release(tenant, inline, id, null)
    await desk.remove(tenant, inline)
  }

  /** Holds the input until the job is made, which holds it from then on, and says what is known of it. */
  async #claim(job: Job, fileId: string): Promise<Probed | null> {
    const { files } = this.#deps
    const isThere = await files.claim(job.tenant, fileId, job.id, later(this.#deps.clock.now(), MADE_WITHIN))
    const file = isThere ? await files.read(job.tenant, fileId) : null
    if (file === null) throw invalid('/input/file_id', 'not_found', 'There is no such file.')
    const fits = file.purpose !== 'batch' && (file.media === null || fitsKind(job.type, file.media))
    if (fits) return file.media
    await this.#deps.desk.release(job.tenant, fileId, job.id, null)
    throw invalid('/input/file_id', 'unsupported_media', `A job of this type does not take ${file.mime}.`)
  }
}

/** Whether a job of a type can do anything with such a file. The sound of a video may be asked for as well. */
export function fitsKind(type: Job['type'], { kind }: Probed): boolean {
  if (type.startsWith('image.')) return kind === 'image'
  return type.startsWith('audio.') ? kind !== 'image' : kind === 'video'
}

function taken(created: Created): Extract<Created, { job: Job }> {
  if (created.type === 'created' || created.type === 'replayed') return created
  if (created.type === 'mismatch') {
    throw new FaultError('idempotency_mismatch', 'This Idempotency-Key belongs to another request.')
  }
  if (created.type === 'lost') throw new BatchLost()
  throw new FaultError('queue_full', 'As many of your jobs wait as may.', { retryAfterMs: created.wait })
}

/** Files that a job has made: its result, and those that the result names. */
function outputsOf({ result }: Job): string[] {
  if (result === null) return []
  if (result.kind === 'file') return [result.fileId, ...(result.others ?? [])]
  return namedFiles(result.json)
}

function namedFiles(json: unknown): string[] {
  if (typeof json !== 'object' || json === null) return []
  return Object.entries(json).flatMap(([name, value]) =>
    name === 'file_id' && typeof value === 'string' ? [value] : namedFiles(value),
  )
}
