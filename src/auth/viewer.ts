import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { authenticateKey, credentialsOf } from './authenticate.ts'
import type { ClientSecrets } from './client-secrets.ts'
import { isOperator } from './operator.ts'
import type { Principal } from './principal.ts'
import { requireScope } from './scopes.ts'

export interface ViewerDeps {
  config(): Config
  clock: Clock
  secrets: ClientSecrets
}

/** The headers of a request, as hono reads them. */
interface Request {
  header(name: string): string | undefined
}

/**
 * Who looks at an operator's or tenant's page: the tenant behind a key that may see usage, or null for the operator, who
 * sees all. Throws as `authenticate` does, and `forbidden` for client secrets and keys of other scopes.
 */
export async function viewerOf(deps: ViewerDeps, request: Request): Promise<Principal | null> {
  const config = deps.config()
  const credentials = credentialsOf({
    authorization: request.header('authorization'),
    'api-key': request.header('api-key'),
  })
  if (isOperator(config, credentials)) return null
  const principal = await authenticateKey(config, deps.secrets, credentials, deps.clock.now())
  requireScope(principal, 'usage')
  return principal
}
