import type { FileDesk } from '../../src/files/file-desk.ts'
import type { Log } from '../../src/log.ts'
import { isEnded, type Job } from '../../src/media/job.ts'
import type { JobStore } from '../../src/media/job-store.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { BackOffice, Waste } from '../../src/store/jobs/back-office.ts'
import { ms } from '../../src/units.ts'

export interface CleanUpDeps {
  readonly log: Log
  readonly store: JobStore
  readonly office: BackOffice
  readonly storage: Storage
  readonly desk: Pick<FileDesk, 'release'>
}

/** Deletes what a tenant's ended jobs have left and nobody is to have any more. What fails comes again. */
export async function cleanUp(deps: CleanUpDeps, tenant: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const waste = await deps.office.waste(tenant)
    const done: string[] = []
    for (const each of waste) {
      if (signal.aborted) break
      try {
        await remove(deps, tenant, each)
        done.push(each.member)
      } catch (error) {
        deps.log.warn({ jobId: each.id, what: each.what, why: String(error) }, 'something is deleted later')
      }
    }
    await deps.office.done(tenant, 'waste', done)
    if (waste.length === 0 || done.length < waste.length) return
  }
}

async function remove({ store, office, storage, desk }: CleanUpDeps, tenant: string, { what, id }: Waste) {
  const job = await store.read(tenant, id)
  // One that was begun anew needs what it has; its next end says again what is to go.
  if (job !== null && !isEnded(job.status)) return
  switch (what) {
    case 'work':
      return storage.removeAll(`${tenant}/${id}`)
    case 'input':
      if (job?.input.file_id !== undefined) await desk.release(tenant, job.input.file_id, id, inputKept(job))
      return
    case 'output':
      // Files go by their own time.
      return office.erase(tenant, id)
    case 'record':
      return store.remove(tenant, id)
  }
}

/** What may succeed when its owner asks again keeps its input for as long as an output would have stayed. */
function inputKept({ status, error, retention }: Job) {
  const mayComeAgain = status === 'failed' && error?.retryable === true
  return ms(mayComeAgain ? Math.max(retention.input, retention.output) : retention.input)
}
