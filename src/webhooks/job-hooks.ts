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
 * Tells everybody who wants to know that a job's status has changed: the tenant's endpoints, the URL that the job itself
 * names, and endpoints of the operator that ask for it by name. May be called again with the same news: each is told once.
 */
export async function publishJobNews(
  { config, hooks, queue }: JobHooksDeps,
  tenant: string,
  { id, type, at, seq, job: jobId, webhook: wish, metadata }: JobNews,
): Promise<void> {
  const ownUrl = wish !== null && (wish.events === undefined || wish.events.includes(type)) ? wish.url : null
  const operators = config().webhooks.filter((endpoint) => wants(endpoint, type))
  const recipients: Recipient[] = [
    ...(await hooks.wanting(tenant, type, ownUrl)).map((endpoint) => ({ endpoint, tenant })),
    ...operators.map((endpoint) => ({ endpoint: endpointId(endpoint) })),
  ]
  if (recipients.length === 0) return
  const status = type === 'job.started' ? 'processing' : (type.slice('job.'.length) as JobStatus)
  const base = config().advertiseUrl ?? ''
  const event: WebhookEvent = {
    ...{ id, type, at },
    data: {
      ...{ id: jobId, object: 'job', status, seq, metadata },
      ended_at: isEnded(status) ? new Date(at).toISOString() : null,
      result_url: status === 'succeeded' ? `${base}/v1/jobs/${jobId}/result` : null,
    },
  }
  await queue.deliver(event, recipients)
}
