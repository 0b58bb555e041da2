import { DataStore, ERRORS, type Lock, type Locker, Upload } from '@tus/server'
import type { Principal } from '../../auth/principal.ts'
import type { Config } from '../../config/config.ts'
import type { Checksum, ResumableUploads } from '../../files/resumable-upload.ts'
import type { UploadLocks } from '../../files/upload-locks.ts'
import { invalid } from '../../invalid-request.ts'
import { FILE_PURPOSES, type FilePurpose } from '../../media/media-file.ts'
import type { IdempotentRequests } from '../../store/idempotent-requests.ts'
import type { Bytes } from '../../units.ts'
import type { RoomDeps } from './guard.ts'
import { nameOf } from './upload-body.ts'

export interface TusDeps extends RoomDeps {
  uploads: ResumableUploads
  locks: UploadLocks
  once: IdempotentRequests
  config(): Config
}

/** Largest list of a batch's lines (reference: queue API, batches). */
const LARGEST_BATCH = 200 * 1_000_000

/** The uploads of one tenant, for one request: tus speaks of ids alone, and ids alone open nothing here. */
export class TusStore extends DataStore {
  readonly #deps: TusDeps
  readonly #principal: Principal
  readonly #checksum: Checksum | null
  readonly #signal: AbortSignal

  constructor(deps: TusDeps, principal: Principal, checksum: Checksum | null, signal: AbortSignal) {
    super()
    this.#deps = deps
    this.#principal = principal
    this.#checksum = checksum
    this.#signal = signal
    this.extensions = ['creation', 'creation-with-upload', 'expiration', 'termination', 'checksum']
  }

  override async create(upload: Upload): Promise<Upload> {
    const { uploads } = this.#deps.config().media
    const metadata = upload.metadata ?? {}
    const { tenant, keyId } = this.#principal
    const order = {
      ...{ tenant, keyId, length: upload.size ?? 0, keep: uploads.keepUnfinished },
      ...{ filename: nameOf(metadata.filename ?? null), note: JSON.stringify(metadata) },
    }
    upload.id = await this.#deps.uploads.begin(order, largestOf(purposeOf(metadata), uploads.largestResumable))
    upload.creation_date = (await this.getUpload(upload.id)).creation_date
    return upload
  }

  override async write(source: AsyncIterable<Uint8Array>, id: string, offset: number): Promise<number> {
    const { tenant } = this.#principal
    const after = await this.#deps.uploads.write(tenant, id, offset, source, this.#checksum)
    await this.getUpload(id)
    return after
  }

  /** Where it stands. One that is all there, and was left by a node that died before it made the file, is finished now. */
  override async getUpload(id: string): Promise<Upload> {
    const { tenant } = this.#principal
    const { uploads, config } = this.#deps
    const state = await uploads.state(tenant, id)
    if (state === null) throw ERRORS.FILE_NOT_FOUND
    const { file, length, offset, note } = state
    const metadata = JSON.parse(note) as Record<string, string | null>
    if (offset === length && file.status === 'uploading') {
      const { keepUnused } = config().media.uploads
      await uploads.finish(tenant, id, purposeOf(metadata), keepUnused, this.#signal)
    }
    const created = new Date(file.createdAt).toISOString()
    const told = Object.keys(metadata).length > 0 ? { metadata } : {}
    return new Upload({ id, size: length, offset, creation_date: created, ...told })
  }

  override async remove(id: string): Promise<void> {
    const answer = await this.#deps.uploads.remove(this.#principal.tenant, id)
    if (answer === 'none') throw ERRORS.FILE_NOT_FOUND
  }

  override getExpiration(): number {
    return this.#deps.config().media.uploads.keepUnfinished
  }
}

/** Locks of one tenant: another's request for the same id must not make its owner let go. */
export function tenantLocks(locks: UploadLocks, tenant: string): Locker {
  return {
    newLock(id): Lock {
      let give: () => void = () => undefined
      return {
        lock: async (_signal, release) => {
          give = await locks.take(`${tenant}/${id}`, () => void release())
        },
        unlock: async () => give(),
      }
    },
  }
}

const largestOf = (purpose: FilePurpose, largest: Bytes): Bytes =>
  purpose === 'batch' ? (Math.min(LARGEST_BATCH, largest) as Bytes) : largest

function purposeOf({ purpose }: Readonly<Record<string, string | null>>): FilePurpose {
  const found = FILE_PURPOSES.find((each) => each === (purpose ?? 'media') && each !== 'output')
  if (found === undefined) throw invalid('/purpose', 'invalid_value', 'One of media, batch.')
  return found
}
