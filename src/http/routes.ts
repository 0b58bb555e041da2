import type { OpenAPIHono } from '@hono/zod-openapi'
import { type AdminDeps, adminRoutes } from './admin.ts'
import { clientSecretRoutes } from './client-secrets.ts'
import { type CorrectionRouteDeps, correctionRoutes } from './corrections.ts'
import type { DropIns } from './drop-ins/drop-in-deps.ts'
import { dropInRoutes } from './drop-ins/drop-in-routes.ts'
import { type EstimateRouteDeps, estimateRoutes } from './estimates.ts'
import { type LimitRouteDeps, limitRoutes } from './limits.ts'
import { type MediaRouteDeps, mediaRoutes } from './media/media-routes.ts'
import type { ClientSecretDeps } from './mint.ts'
import { olderSecretRoutes } from './older-secrets.ts'
import { type PageDeps, pageRoutes } from './pages/pages.ts'
import { type PriceRouteDeps, priceRoutes } from './prices.ts'
import { type SessionRouteDeps, sessionRoutes } from './sessions.ts'
import { type UsageRouteDeps, usageRoutes } from './usage.ts'

export interface RouteDeps
  extends Omit<ClientSecretDeps, 'audit'>,
    AdminDeps,
    SessionRouteDeps,
    UsageRouteDeps,
    LimitRouteDeps,
    PriceRouteDeps,
    EstimateRouteDeps,
    Omit<MediaRouteDeps, 'audit'>,
    CorrectionRouteDeps,
    Omit<PageDeps, 'audit'> {
  /** Null on a node that does no work on media. */
  dropIns: DropIns | null
}

/** Every route of the HTTP door but those that tell how the node is. */
export function installRoutes(app: OpenAPIHono, deps: RouteDeps): void {
  clientSecretRoutes(app, deps)
  olderSecretRoutes(app, deps)
  sessionRoutes(app, deps)
  usageRoutes(app, deps)
  limitRoutes(app, deps)
  priceRoutes(app, deps)
  estimateRoutes(app, deps)
  correctionRoutes(app, deps)
  adminRoutes(app, deps)
  mediaRoutes(app, deps)
  if (deps.dropIns !== null) dropInRoutes(app, { ...deps, dropIns: deps.dropIns })
  pageRoutes(app, deps)
}
