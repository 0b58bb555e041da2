import type { Config } from '../config/config.ts'
import type { TenantHooks } from '../store/tenant-hooks.ts'
import { endpointId, type TenantEventType, type WebhookEvent, wants } from './webhook.ts'
import type { Recipient, WebhookQueue } from './webhook-queue.ts'

export interface TenantNewsDeps {
  readonly config: () => Config
  readonly hooks: TenantHooks
  readonly queue: Pick<WebhookQueue, 'deliver'>
}

/** Something that happened to what is a tenant's. */
export interface TenantEvent extends WebhookEvent {
  readonly type: TenantEventType
}

/**
 * Tells everybody who wants to know: the tenant's endpoints, `jobUrl` (one that a job has named for itself), and endpoints of
 * the operator that ask for it by name. May be called again with the same event: each is told once. Rejects while Redis is away.
 */
export async function tellTenant(
  { config, hooks, queue }: TenantNewsDeps,
  tenant: string,
  event: TenantEvent,
  jobUrl: string | null = null,
): Promise<void> {
  const operators = config().webhooks.filter((endpoint) => wants(endpoint, event.type))
  const recipients: Recipient[] = [
    ...(await hooks.wanting(tenant, event.type, jobUrl)).map((endpoint) => ({ endpoint, tenant })),
    ...operators.map((endpoint) => ({ endpoint: endpointId(endpoint) })),
  ]
  if (recipients.length > 0) await queue.deliver(event, recipients)
}
