import type { Config } from '../config/config.ts'
import { isEnded, type JobStatus } from '../media/job.ts'
import type { JobNews } from '../store/jobs/back-office.ts'
import type { TenantHooks } from '../store/tenant-hooks.ts'
import { endpointId, type WebhookEvent, wants } from './webhook.ts'
import type { Recipient, WebhookQueue } from './webhook-queue.ts'

export interface JobHooksDeps {
  readonly config: () => Config
  readonly hooks: TenantHooks
  readonly queue: WebhookQueue
}

/**
 * Tells everybody who wants to know that a job's status has changed, or a batch is over: the tenant's endpoints, the URL that the job itself
 * names, and endpoints of the operator that ask for it by name. May be called again with the same news: each is told once.
 */
export async function publishJobNews(
  { config, hooks, queue }: JobHooksDeps,
  tenant: string,
  { id, type, at, seq, job: jobId, webhook: wish, metadata }: JobNews,
): Promise<void> {
  const named: readonly string[] | undefined = wish?.events
  const ownUrl = wish !== null && (named === undefined || named.includes(type)) ? wish.url : null
  const operators = config().webhooks.filter((endpoint) => wants(endpoint, type))
  const recipients: Recipient[] = [
    ...(await hooks.wanting(tenant, type, ownUrl)).map((endpoint) => ({ endpoint, tenant })),
    ...operators.map((endpoint) => ({ endpoint: endpointId(endpoint) })),
  ]
  if (recipients.length === 0) return
  const base = config().advertiseUrl ?? ''
  const [object = '', word = ''] = type.split('.')
  const status = word === 'started' ? 'processing' : word
  const resultOf = () => (status === 'succeeded' ? `${base}/v1/jobs/${jobId}/result` : null)
  const event: WebhookEvent = {
    ...{ id, type, at },
    data: {
      ...{ id: jobId, object, status, seq, metadata },
      ended_at: object === 'batch' || isEnded(status as JobStatus) ? new Date(at).toISOString() : null,
      // The files with a batch's results are named by the batch itself.
      result_url: object === 'batch' ? `${base}/v1/batches/${jobId}` : resultOf(),
    },
  }
  await queue.deliver(event, recipients)
}
