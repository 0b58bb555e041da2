import { isOver } from '../../src/batches/batch.ts'
import type { Log } from '../../src/log.ts'
import type { JobStore } from '../../src/media/job-store.ts'
import type { MediaMetrics } from '../../src/metrics.ts'
import { type BlobName, blobName, type Storage } from '../../src/storage/storage.ts'
import type { BatchStore } from '../../src/store/batches.ts'
import type { FileStore } from '../../src/store/files.ts'
import type { BackOffice } from '../../src/store/jobs/back-office.ts'

export interface CountOrphansDeps {
  readonly log: Log
  readonly metrics: MediaMetrics
  readonly storage: Storage
  readonly files: FileStore
  readonly store: JobStore
  readonly office: BackOffice
  readonly batches: Pick<BatchStore, 'read'>
}

export interface Orphans {
  /** Names of stored bytes that no record knows. */
  readonly bytes: readonly string[]
  /** Files whose bytes are not there. */
  readonly records: readonly string[]
}

const PAGE = 200
/** `file_`, `job_` or `batch_` and 26 letters, with which all our names begin. */
const OWNER = /^(file_|job_|batch_)[0-9a-z]{26}/

/**
 * Compares what is stored with what is known, both ways: both must be none. Nothing is removed, because bytes without a
 * record are a mistake of ours that somebody should look at. What is made or removed meanwhile is looked at twice.
 */
export async function countOrphans(deps: CountOrphansDeps, signal: AbortSignal): Promise<Orphans> {
  const bytes: string[] = []
  for await (const name of deps.storage.list()) {
    signal.throwIfAborted()
    if (!(await isKnown(deps, name)) && (await deps.storage.size(name)) !== null) bytes.push(name)
  }
  const records: string[] = []
  for (const tenant of await deps.files.tenants()) {
    for await (const id of filesOf(deps.files, tenant)) {
      signal.throwIfAborted()
      if ((await deps.storage.size(blobName(tenant, id))) !== null) continue
      if ((await deps.files.read(tenant, id)) !== null) records.push(`${tenant}/${id}`)
    }
  }
  deps.metrics.orphans.set({ kind: 'bytes' }, bytes.length)
  deps.metrics.orphans.set({ kind: 'records' }, records.length)
  if (bytes.length + records.length > 0) {
    const examples = [...bytes, ...records].slice(0, 5)
    deps.log.error({ bytes: bytes.length, records: records.length, examples }, 'bytes and records have parted')
  }
  return { bytes, records }
}

async function isKnown({ files, store, office, batches }: CountOrphansDeps, name: BlobName): Promise<boolean> {
  const [tenant = '', part = ''] = name.split('/')
  const owner = OWNER.exec(part)?.[0]
  if (owner === undefined) return false
  if (owner.startsWith('file_')) return files.exists(tenant, owner)
  if (owner.startsWith('batch_')) {
    const batch = await batches.read(tenant, owner)
    return batch !== null && !isOver(batch.status)
  }
  const job = await store.read(tenant, owner)
  if (job === null) return false
  // What an ended job has left is to be deleted, sooner or later.
  return job.endedAt === null || (await office.isToBeDeleted(tenant, 'work', owner))
}

async function* filesOf(files: FileStore, tenant: string): AsyncGenerator<string> {
  let after: string | undefined
  for (;;) {
    const page = await files.list(tenant, { after, limit: PAGE })
    for (const { id } of page.files) yield id
    after = page.files.at(-1)?.id
    if (!page.hasMore || after === undefined) return
  }
}
