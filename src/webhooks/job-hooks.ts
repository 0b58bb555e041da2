import { isEnded, type JobStatus } from '../media/job.ts'
import type { JobNews } from '../store/jobs/back-office.ts'
import { type TenantNewsDeps, tellTenant } from './tenant-news.ts'

/**
 * Tells everybody who wants to know that a job's status has changed, a batch is over or a file has expired; of a job also the
 * URL that it names itself. May be called again with the same news: each is told once.
 */
export async function publishJobNews(
  deps: TenantNewsDeps,
  tenant: string,
  { id, type, at, seq, job, webhook: wish, metadata }: JobNews,
): Promise<void> {
  const named: readonly string[] | undefined = wish?.events
  const ownUrl = wish !== null && (named === undefined || named.includes(type)) ? wish.url : null
  const [object = '', word = ''] = type.split('.')
  const status = word === 'started' ? 'processing' : word
  const data = {
    ...{ id: job, object, status, seq, metadata },
    ended_at: object === 'batch' || isEnded(status as JobStatus) ? new Date(at).toISOString() : null,
    result_url: resultOf(deps.config().advertiseUrl ?? '', object, status, job),
  }
  await tellTenant(deps, tenant, { id, type, at, data }, ownUrl)
}

/** Where what came of it can be read. The files with a batch's results are named by the batch itself. */
function resultOf(base: string, object: string, status: string, id: string): string | null {
  if (object === 'batch') return `${base}/v1/batches/${id}`
  return object === 'job' && status === 'succeeded' ? `${base}/v1/jobs/${id}/result` : null
}
