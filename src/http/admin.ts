import type { OpenAPIHono } from '@hono/zod-openapi'
import { Administration } from '../admin/administration.ts'
import type { LivePolicy } from '../admin/live-policy.ts'
import { TenantKeys } from '../admin/tenant-keys.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { credentialsOf } from '../auth/authenticate.ts'
import type { ClientSecrets } from '../auth/client-secrets.ts'
import { requireOperator } from '../auth/operator.ts'
import type { Clock } from '../clock.ts'
import { auditRoutes } from './admin-audit.ts'
import { keyRoutes } from './admin-keys.ts'
import { planRoutes } from './admin-plans.ts'
import { tenantRoutes } from './admin-tenants.ts'

export interface AdminDeps {
  policy: LivePolicy
  audit: AuditLog
  secrets: ClientSecrets
  clock: Clock
}

/** Everything under `/v1/admin`: for the key of the operator only. */
export function adminRoutes(app: OpenAPIHono, { policy, audit, secrets, clock }: AdminDeps): void {
  app.use('/v1/admin/*', async (c, next) => {
    const credentials = credentialsOf({
      authorization: c.req.header('authorization'),
      'api-key': c.req.header('api-key'),
    })
    await requireOperator(policy.config, secrets, credentials, clock.now())
    await next()
  })
  const administration = new Administration(policy, audit, clock, secrets.keyUse)
  const tenantKeys = new TenantKeys(administration, audit, clock, secrets.keyUse)
  tenantRoutes(app, administration, secrets.keyUse)
  keyRoutes(app, tenantKeys)
  planRoutes(app, administration)
  auditRoutes(app, audit)
}
