import { randomUUID } from 'node:crypto'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Audit } from '../audit/audit.ts'
import { authenticate, credentialsOf } from '../auth/authenticate.ts'
import type { ClientSecrets } from '../auth/client-secrets.ts'
import { isAllowedOrigin } from '../auth/origin.ts'
import type { Principal } from '../auth/principal.ts'
import { requireScope } from '../auth/scopes.ts'
import { grantedModel } from '../auth/session-fields.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import { NO_SECRET_LIMITS, type SecretLimits } from '../limits/accounts.ts'
import { type Ms, seconds } from '../units.ts'

export interface ClientSecretDeps {
  config(): Config
  clock: Clock
  secrets: ClientSecrets
  audit: Audit
}

/** What a secret shall grant. */
export interface MintOrder {
  /** A GA session object; its fields are fixed for whoever comes with the secret. */
  session: Record<string, unknown> & { type: 'realtime' | 'transcription' }
  life: Ms
  uses: number
  user: string | null
  unlocked: readonly string[]
  origins: readonly string[]
  limits: SecretLimits
}

/** An order that says nothing but the session: one use, nothing unlocked. */
export function plainOrder(session: MintOrder['session'], lifeSeconds: number): MintOrder {
  return {
    session,
    life: seconds(lifeSeconds),
    uses: 1,
    user: null,
    unlocked: [],
    origins: [],
    limits: NO_SECRET_LIMITS,
  }
}

/**
 * Mints a secret for whoever shows an API key. `expiresAt` in Unix seconds. Throws what `authenticate` does, and
 * `forbidden`, `model_not_found` or `store_unavailable`.
 */
export async function mint(
  c: Context,
  deps: ClientSecretDeps,
  order: MintOrder,
): Promise<{ value: string; expiresAt: number; id: string }> {
  const config = deps.config()
  const now = deps.clock.now()
  const credentials = credentialsOf({
    authorization: c.req.header('authorization'),
    'api-key': c.req.header('api-key'),
    origin: c.req.header('origin'),
  })
  if (credentials.value?.startsWith('ek_') === true) {
    throw new FaultError('forbidden', 'A client secret cannot mint another.')
  }
  return mintFor(deps, await authenticate(config, deps.secrets, credentials, now), order)
}

/** The same for somebody who is known already. */
export async function mintFor(
  deps: ClientSecretDeps,
  principal: Principal,
  order: MintOrder,
): Promise<{ value: string; expiresAt: number; id: string }> {
  const config = deps.config()
  const now = deps.clock.now()
  requireScope(principal, 'mint')
  const { tenant, keyId } = principal
  const model = grantedModel(order.session)
  if (model !== null && !config.models.has(model)) {
    const param = order.session.type === 'realtime' ? 'session.model' : 'session.audio.input.transcription.model'
    throw new FaultError('model_not_found', `The model '${model.slice(0, 128)}' does not exist here.`, { param })
  }
  const { session, user, unlocked, origins, limits, uses } = order
  const grant = { tenant, keyId, user, session, unlocked: [...unlocked], origins: [...origins], limits }
  const { value, id, expiresAt } = await deps.secrets.mint(grant, uses, order.life, now).catch((cause: unknown) => {
    throw new FaultError('store_unavailable', 'Secrets cannot be minted right now.', { cause, retryAfterMs: 2_000 })
  })
  deps.audit.record({ kind: 'secret.minted', actor: `key:${keyId}`, tenant, subject: id, detail: { uses } })
  return { value, expiresAt: Math.floor(expiresAt / 1_000), id: `sess_${randomUUID().replaceAll('-', '')}` }
}

/** Lets pages of allowed origins call these paths, and nobody else's. */
export function allowOrigins(app: OpenAPIHono, deps: ClientSecretDeps, paths: readonly string[]): void {
  for (const path of paths) {
    app.use(path, async (c, next) => {
      const origin = c.req.header('origin')
      if (origin === undefined) return next()
      c.header('Vary', 'Origin')
      const { door, tenants } = deps.config()
      const allowed = [...door.origins, ...[...tenants.values()].flatMap((tenant) => tenant.origins)]
      if (!isAllowedOrigin(origin, allowed)) return next()
      c.header('Access-Control-Allow-Origin', origin)
      c.header('Access-Control-Expose-Headers', 'X-Request-Id, Retry-After')
      if (c.req.method !== 'OPTIONS') return next()
      // OpenAI's own client sends a dozen headers about its platform; which ones changes with its version.
      const headers = c.req.header('access-control-request-headers') ?? 'authorization, content-type'
      c.header('Access-Control-Allow-Headers', headers)
      c.header('Access-Control-Allow-Methods', 'POST')
      c.header('Access-Control-Max-Age', '600')
      return c.body(null, 204)
    })
  }
}
