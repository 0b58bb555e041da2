import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { jobLimitsOf } from '../config/job-limits.ts'
import { FaultError } from '../faults.ts'
import type { Log } from '../log.ts'
import { newId } from '../media/ids.ts'
import type { FilePurpose, MediaFile } from '../media/media-file.ts'
import type { MediaTools, Probed } from '../media/media-tools.ts'
import { type BlobName, blobName, type Storage } from '../storage/storage.ts'
import type { FileStore } from '../store/files.ts'
import { later, type Ms, ms } from '../units.ts'

export interface FileDeskDeps {
  clock: Clock
  log: Log
  storage: Storage
  files: FileStore
  /** Looks into media; null where this process has no tools, so that only a job finds out what a file is. */
  tools: Pick<MediaTools, 'probe'> | null
  config(): Config
}

/** A file that is about to come. */
export interface FileOrder {
  /** Left out: a new one. Who may do the same work twice names the file after it, and so makes one. */
  readonly id?: string
  readonly tenant: string
  readonly keyId: string
  /** Asked once all bytes are there: a form may tell it after the file. */
  readonly purpose: () => FilePurpose
  readonly filename: string | null
  /** What it is said to be, for files that are not looked into. */
  readonly mime?: string
  /** Bytes at the most; so much is kept free in the tenant's quota. */
  readonly most: number
  /** How long it stays if no job needs it. */
  readonly keep: Ms
}

/** A request that has not come to its end by then never will. */
const LONGEST_REQUEST = ms(3_600_000)

/** Where bytes and their records meet: a record before the first byte, and bytes gone before their record. */
export class FileDesk {
  readonly #deps: FileDeskDeps

  constructor(deps: FileDeskDeps) {
    this.#deps = deps
  }

  /** Streams a file in. Rejects with what `Storage.write` and `MediaTools.probe` do; nothing of it is left then. */
  async take(order: FileOrder, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<MediaFile> {
    const { clock, files, storage, config } = this.#deps
    const { tenant, keyId, purpose, filename, most, keep, mime } = order
    const now = clock.now()
    const id = order.id ?? newId('file', now)
    const expiresAt = later(now, LONGEST_REQUEST)
    await files.reserve({ id, tenant, keyId, filename, bytes: most, expiresAt }, jobLimitsOf(config(), tenant))
    try {
      const written = await storage.write(blobName(tenant, id), source, most, signal)
      return await this.admit(tenant, id, { ...written, keep, mime, purpose: purpose() }, signal)
    } catch (error) {
      await this.#undo(tenant, id)
      throw error
    }
  }

  /** Looks at a file whose bytes are all in storage, and makes it ready. */
  async admit(
    tenant: string,
    id: string,
    told: { purpose: FilePurpose; bytes: number; sha256: string; keep: Ms; mime?: string | undefined },
    signal: AbortSignal,
  ): Promise<MediaFile> {
    const { purpose, bytes, sha256 } = told
    if (bytes === 0) throw new FaultError('invalid_request', 'The file is empty.')
    const media = purpose === 'media' ? await this.#probe(blobName(tenant, id), signal) : null
    const mime = media?.mime ?? told.mime ?? 'application/octet-stream'
    const unusedUntil = later(this.#deps.clock.now(), told.keep)
    const isThere = await this.#deps.files.commit(tenant, id, { purpose, bytes, sha256, mime, media, unusedUntil })
    const file = isThere ? await this.#deps.files.read(tenant, id) : null
    if (file === null) throw new FaultError('not_found', 'The file was removed while it came.')
    return file
  }

  /** Removes a file with its bytes. `needed`: a job still needs it. */
  async remove(tenant: string, id: string): Promise<'gone' | 'needed' | 'none'> {
    const answer = await this.#deps.files.condemn(tenant, id, 'owner')
    if (answer === 'gone') await this.#erase(tenant, id)
    return answer
  }

  /** A job needs it no longer; with `keep` 0 and nobody else's claim it is gone when this resolves. */
  async release(tenant: string, id: string, job: string, keep: Ms | null): Promise<void> {
    if (await this.#deps.files.release(tenant, id, job, keep)) await this.#erase(tenant, id)
  }

  /** Removes what has expired; resolves with how many files that were. */
  async sweep(signal: AbortSignal): Promise<number> {
    const { files, clock, log } = this.#deps
    let removed = 0
    for (const tenant of await files.tenants()) {
      for (const id of await files.expired(tenant, clock.now(), SWEPT_AT_ONCE)) {
        signal.throwIfAborted()
        if ((await files.condemn(tenant, id, 'expiry')) !== 'gone') continue
        await this.#erase(tenant, id)
        removed++
      }
    }
    if (removed > 0) log.info({ removed }, 'expired files removed')
    return removed
  }

  /** Bytes first: a record without bytes is found and finished by the sweep, bytes without a record by nobody. */
  async #erase(tenant: string, id: string): Promise<void> {
    const { files, storage } = this.#deps
    const pieces = await files.pieces(tenant, id)
    for (const { name } of pieces) await storage.remove(blobName(tenant, name))
    await storage.remove(blobName(tenant, id))
    await files.forget(tenant, id)
  }

  /** What cannot be taken back now is taken by the sweep, once the promise has expired. */
  async #undo(tenant: string, id: string): Promise<void> {
    await this.remove(tenant, id).catch((error: unknown) => {
      this.#deps.log.warn({ why: String(error) }, 'a file that was given up is left to the sweep')
    })
  }

  async #probe(name: BlobName, signal: AbortSignal): Promise<Probed | null> {
    if (this.#deps.tools === null) return null
    await using local = await this.#deps.storage.local(name)
    return await this.#deps.tools.probe(local.path, signal)
  }
}

const SWEPT_AT_ONCE = 1_000
