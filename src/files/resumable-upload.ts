import { createHash, type Hash, randomBytes } from 'node:crypto'
import { jobLimitsOf } from '../config/job-limits.ts'
import { FaultError } from '../faults.ts'
import { newId } from '../media/ids.ts'
import type { FilePurpose } from '../media/media-file.ts'
import { blobName } from '../storage/storage.ts'
import type { UploadState } from '../store/files.ts'
import { type Bytes, later, type Ms } from '../units.ts'
import type { FileDesk, FileDeskDeps } from './file-desk.ts'

/** What of an upload is lost at the most when its node dies, and how much of it is on its way to a bucket at once. */
const PIECE_BYTES = 16 * 1_024 * 1_024

/** What the bytes of one request must add up to. */
export interface Checksum {
  readonly algorithm: string
  readonly digest: Buffer
}

export interface UploadOrder {
  readonly tenant: string
  readonly keyId: string
  readonly length: number
  readonly filename: string | null
  /** The caller's own note, given back as it came. */
  readonly note: string
  readonly keep: Ms
}

/**
 * Uploads in several requests, over several connections and nodes. Each request's bytes lie in storage as pieces, in order;
 * once all are there they become the file. What has been told to the caller as received is never asked for again.
 */
export class ResumableUploads {
  readonly #deps: FileDeskDeps
  readonly #desk: FileDesk

  constructor(deps: FileDeskDeps, desk: FileDesk) {
    this.#deps = deps
    this.#desk = desk
  }

  /** Its id, which will be that of the file. Rejects with `storage_full`, `payload_too_large`. */
  async begin(order: UploadOrder, largest: Bytes): Promise<string> {
    const { clock, files, config } = this.#deps
    const { tenant, keyId, length, filename, note, keep } = order
    if (length > largest) throw new FaultError('payload_too_large', `At most ${largest} bytes are taken here.`)
    if (length === 0) throw new FaultError('invalid_request', 'The file is empty.')
    const now = clock.now()
    const id = newId('file', now)
    const file = { id, tenant, keyId, filename, bytes: length, expiresAt: later(now, keep), upload: { length, note } }
    await files.reserve(file, jobLimitsOf(config(), tenant))
    return id
  }

  /** Null for an upload that never was, or is gone. */
  state(tenant: string, id: string): Promise<UploadState | null> {
    return this.#deps.files.upload(tenant, id)
  }

  /**
   * Takes what a request brings, from `offset` on; resolves with the offset after it. A line that is cut leaves all that came
   * over it, except where a checksum was to be kept: then all of it or nothing counts. Throws `checksum_mismatch`, and
   * `offset_mismatch` where somebody else has written meanwhile.
   */
  async write(
    tenant: string,
    id: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    checksum: Checksum | null,
  ): Promise<number> {
    const hash = checksum === null ? null : createHash(checksum.algorithm)
    const waiting: Piece[] = []
    let at = offset
    try {
      const incoming = new Incoming(source, hash)
      while (await incoming.hasMore()) {
        const name = `${id}.${at}.${randomBytes(6).toString('hex')}`
        const { bytes } = await this.#deps.storage.write(blobName(tenant, name), incoming.piece(), PIECE_BYTES)
        waiting.push({ at, bytes, name })
        at += bytes
        if (hash === null) await this.#append(tenant, id, waiting)
      }
      const isWhole = hash === null || (!incoming.isCut && hash.digest().equals(checksum?.digest ?? Buffer.of()))
      if (!isWhole) throw new FaultError('checksum_mismatch', 'The bytes are not those of the checksum.')
      await this.#append(tenant, id, waiting)
      return at
    } finally {
      // What nobody counts must not stay.
      for (const { name } of waiting) await this.#deps.storage.remove(blobName(tenant, name))
    }
  }

  /** Gives it up, or removes the file it has become. Throws `in_use` while a job needs that. */
  async remove(tenant: string, id: string): Promise<'gone' | 'none'> {
    const answer = await this.#desk.remove(tenant, id)
    if (answer !== 'needed') return answer
    throw new FaultError('in_use', 'A job still needs this file: cancel the job first.')
  }

  /** Makes the file of an upload that is all there; doing it twice, or on two nodes at once, does no harm. */
  async finish(tenant: string, id: string, purpose: FilePurpose, keep: Ms, signal: AbortSignal): Promise<void> {
    const { files, storage } = this.#deps
    try {
      const pieces = await files.pieces(tenant, id)
      const length = pieces.reduce((sum, { bytes }) => sum + bytes, 0)
      async function* whole() {
        for (const { name } of pieces) yield* await storage.read(blobName(tenant, name))
      }
      const written = await storage.write(blobName(tenant, id), whole(), length, signal)
      await this.#desk.admit(tenant, id, { ...written, purpose, keep }, signal)
      for (const { name } of pieces) await storage.remove(blobName(tenant, name))
    } catch (error) {
      // Another node was faster, and has taken the pieces away.
      if ((await files.read(tenant, id)) !== null) return
      const isRefused = error instanceof FaultError && !MAY_PASS.includes(error.code)
      if (isRefused) await this.#desk.remove(tenant, id)
      throw error
    }
  }

  async #append(tenant: string, id: string, waiting: Piece[]): Promise<void> {
    for (let piece = waiting[0]; piece !== undefined; piece = waiting[0]) {
      if ((await this.#deps.files.append(tenant, id, piece)) === null) {
        throw new FaultError('offset_mismatch', 'The upload is not at this offset any more.')
      }
      waiting.shift()
    }
  }
}

interface Piece {
  readonly at: number
  readonly bytes: number
  readonly name: string
}

/** Failures after which the upload is kept, so that it can be finished later. */
const MAY_PASS: readonly string[] = [
  'store_unavailable',
  'storage_unavailable',
  'storage_full',
  'media_too_heavy',
  'overloaded',
]

/** The bytes of one request, cut into pieces. A line that breaks is an end like any other. */
class Incoming {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #hash: Hash | null
  #next: Uint8Array | null = null
  isCut = false

  constructor(source: AsyncIterable<Uint8Array>, hash: Hash | null) {
    this.#source = source[Symbol.asyncIterator]()
    this.#hash = hash
  }

  async hasMore(): Promise<boolean> {
    while (this.#next === null || this.#next.length === 0) {
      const { value, done } = await this.#source.next().catch(() => {
        this.isCut = true
        return { value: undefined, done: true as const }
      })
      if (done === true) return false
      this.#hash?.update(value)
      this.#next = value
    }
    return true
  }

  async *piece(): AsyncGenerator<Uint8Array> {
    let room = PIECE_BYTES
    while (room > 0 && (await this.hasMore())) {
      const chunk = this.#next as Uint8Array
      const part = chunk.subarray(0, room)
      this.#next = chunk.length > part.length ? chunk.subarray(part.length) : null
      room -= part.length
      yield part
    }
  }
}
