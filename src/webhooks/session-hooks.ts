import type { EndedSession } from '../store/session-records.ts'
import { instant } from '../units.ts'
import { type TenantNewsDeps, tellTenant } from './tenant-news.ts'

/** Tells everybody who wants to know that a session is over. May be called again with the same one: each is told once. */
export async function publishSessionEnd(deps: TenantNewsDeps, ended: EndedSession): Promise<void> {
  const { head, reason, endedAt, usage } = ended
  const { id, tenant, user, admitted } = head
  const at = instant(Math.round(endedAt ?? admitted))
  const data = {
    ...{ id, object: 'session', status: 'ended', seq: 1, metadata: {} },
    ended_at: new Date(at).toISOString(),
    result_url: `${deps.config().advertiseUrl ?? ''}/v1/sessions/${id}`,
    ...{ user, reason, duration_ms: Math.max(0, Math.round(at - admitted)), cost_nano_usd: usage.cost_nano_usd },
  }
  await tellTenant(deps, tenant, { id: `session-${id}`, type: 'session.ended', at, data })
}
