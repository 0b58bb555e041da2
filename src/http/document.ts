import { createLogger } from '../log.ts'
import { Metrics } from '../metrics.ts'
import { createApp } from './app.ts'
import { documentOf } from './document-head.ts'
import { installRoutes, type RouteDeps } from './routes.ts'

/** The document without a server: routes are only described, so nothing of what they need is there. */
export function apiDocument(): ReturnType<typeof documentOf> {
  const log = createLogger('silent')
  const app = createApp({ log, metrics: new Metrics(), unready: async () => null })
  installRoutes(app, { log, secrets: {} } as RouteDeps)
  return documentOf(app)
}
