import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import { authenticate, credentialsOf } from './authenticate.ts'
import type { ClientSecrets } from './client-secrets.ts'
import { keyId, matches } from './keys.ts'
import type { Principal } from './principal.ts'

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
 * Who looks at an operator's or tenant's page: the tenant behind a key, or null for the operator, who sees all. Throws as
 * `authenticate` does, and `forbidden` for client secrets, which open sessions and nothing else.
 */
export async function viewerOf(deps: ViewerDeps, request: Request): Promise<Principal | null> {
  const config = deps.config()
  const credentials = credentialsOf({
    authorization: request.header('authorization'),
    'api-key': request.header('api-key'),
  })
  const { value } = credentials
  const isKey = value !== null && keyId(value) !== null
  if (isKey && config.adminKeyHash !== null && matches(value, config.adminKeyHash, config.pepper)) return null
  if (value?.startsWith('ek_') === true) throw new FaultError('forbidden', 'A client secret cannot be used here.')
  return authenticate(config, deps.secrets, credentials, deps.clock.now())
}

/** Throws `forbidden` for everybody but the operator. */
export async function requireOperator(deps: ViewerDeps, request: Request): Promise<void> {
  if ((await viewerOf(deps, request)) !== null) throw new FaultError('forbidden', 'Only the operator may do this.')
}
