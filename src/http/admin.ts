import type { OpenAPIHono } from '@hono/zod-openapi'
import { Administration } from '../admin/administration.ts'
import type { LivePolicy } from '../admin/live-policy.ts'
import { TenantKeys } from '../admin/tenant-keys.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { credentialsOf } from '../auth/authenticate.ts'
import type { ClientSecrets } from '../auth/client-secrets.ts'
import { requireOperator } from '../auth/operator.ts'
import { auditRoutes } from './admin-audit.ts'
import { keyRoutes } from './admin-keys.ts'
import { planRoutes } from './admin-plans.ts'
import { tenantRoutes } from './admin-tenants.ts'
import { type AllJobsRouteDeps, allJobsRoutes } from './console/jobs.ts'
import { type LiveRouteDeps, liveRoutes } from './console/live.ts'
import { type SessionLookRouteDeps, sessionLookRoutes } from './console/session-look.ts'

export interface AdminDeps extends LiveRouteDeps, SessionLookRouteDeps, AllJobsRouteDeps {
  policy: LivePolicy
  audit: AuditLog
  secrets: ClientSecrets
}

/** Everything under `/v1/admin`: for the key of the operator only. */
export function adminRoutes(app: OpenAPIHono, deps: AdminDeps): void {
  const { policy, audit, secrets, clock } = deps
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
  liveRoutes(app, deps)
  sessionLookRoutes(app, deps)
  allJobsRoutes(app, deps)
}
