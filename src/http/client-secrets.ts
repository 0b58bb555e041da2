import { randomUUID } from 'node:crypto'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Audit } from '../audit/audit.ts'
import { authenticate, credentialsOf } from '../auth/authenticate.ts'
import type { ClientSecrets } from '../auth/client-secrets.ts'
import { isAllowedOrigin } from '../auth/origin.ts'
import { requireScope } from '../auth/scopes.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { secretLimits } from '../config/limits-schema.ts'
import { FaultError } from '../faults.ts'
import { seconds } from '../units.ts'

export interface ClientSecretDeps {
  config(): Config
  clock: Clock
  secrets: ClientSecrets
  audit: Audit
}

/** OpenAI's request, and an object of Parley's own beside it. */
const Request = z
  .object({
    expires_after: z
      .strictObject({
        anchor: z.literal('created_at').default('created_at'),
        seconds: z.int().min(10).max(7_200).default(600),
      })
      .prefault({}),
    session: z.looseObject({ type: z.enum(['realtime', 'transcription']) }).default({ type: 'realtime' }),
    parley: z
      .strictObject({
        /** How many sessions the secret may open. */
        uses: z.int().min(1).max(100).default(1),
        /** Your own end user, for limits and the ledger. */
        user: z.string().min(1).max(128).nullable().default(null),
        /** Fields of the session, as dotted paths, that the browser may change. */
        unlocked: z.array(z.string().max(64)).max(32).default([]),
        /** Pages that may use the secret, as exact origins; those of the tenant when left out. */
        origins: z.array(z.string().max(256)).max(16).default([]),
        /** What the session may do at most. Where the plan allows less, the plan holds: a secret can only lower. */
        limits: secretLimits.prefault({}),
      })
      .prefault({}),
  })
  .openapi('ClientSecretRequest')

const Answer = z
  .object({
    value: z.string().openapi({ example: 'ek_…' }),
    expires_at: z.int().openapi({ description: 'Unix seconds' }),
    session: z.looseObject({ id: z.string(), object: z.string(), type: z.string() }),
  })
  .openapi('ClientSecret')

const route = createRoute({
  method: 'post',
  path: '/v1/realtime/client_secrets',
  summary: 'Mint a short-lived secret for a browser',
  request: { body: { content: { 'application/json': { schema: Request } }, required: false } },
  responses: { 200: { description: 'The secret; shown once', content: { 'application/json': { schema: Answer } } } },
})

export function clientSecretRoutes(app: OpenAPIHono, deps: ClientSecretDeps): void {
  app.use('/v1/realtime/client_secrets', async (c, next) => {
    const origin = c.req.header('origin') ?? null
    const { door, tenants } = deps.config()
    const allowed = [...door.origins, ...[...tenants.values()].flatMap((tenant) => tenant.origins)]
    if (origin !== null && isAllowedOrigin(origin, allowed)) {
      c.header('Access-Control-Allow-Origin', origin)
      c.header('Vary', 'Origin')
      if (c.req.method === 'OPTIONS') {
        c.header('Access-Control-Allow-Headers', 'authorization, content-type')
        c.header('Access-Control-Allow-Methods', 'POST')
        return c.body(null, 204)
      }
    }
    return next()
  })
  app.openapi(route, async (c) => {
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
    const principal = await authenticate(config, deps.secrets, credentials, now)
    requireScope(principal, 'mint')
    const body = c.req.header('content-type') === undefined ? Request.parse({}) : c.req.valid('json')
    const { expires_after, session, parley } = body
    const model = session.model
    if (model !== undefined && (typeof model !== 'string' || !config.models.has(model))) {
      throw new FaultError('model_not_found', 'That model does not exist here.', { param: 'session.model' })
    }
    const { tenant, keyId } = principal
    const { uses, ...rest } = parley
    const grant = { tenant, keyId, session, ...rest }
    const {
      value,
      id: secretId,
      expiresAt,
    } = await deps.secrets.mint(grant, uses, seconds(expires_after.seconds), now).catch((cause: unknown) => {
      throw new FaultError('store_unavailable', 'Secrets cannot be minted right now.', { cause, retryAfterMs: 2_000 })
    })
    deps.audit.record({ kind: 'secret.minted', actor: `key:${keyId}`, tenant, subject: secretId, detail: { uses } })
    const object = session.type === 'transcription' ? 'realtime.transcription_session' : 'realtime.session'
    const id = `sess_${randomUUID().replaceAll('-', '')}`
    return c.json({ value, expires_at: Math.floor(expiresAt / 1_000), session: { ...session, id, object } }, 200)
  })
}
