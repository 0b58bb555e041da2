import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { fromBeta } from './beta-session.ts'
import { allowOrigins, type ClientSecretDeps, mint, plainOrder } from './mint.ts'

const life = z.looseObject({ seconds: z.int().min(10).max(7_200).optional() }).optional()

/** A session object of the beta protocol; `expires_after` for sessions and `expires_at` for transcriptions, as OpenAI has it. */
const Request = z
  .looseObject({
    client_secret: z.looseObject({ expires_after: life, expires_at: life }).nullish(),
  })
  .openapi('BetaSessionRequest')

const Answer = z
  .looseObject({
    id: z.string(),
    object: z.string(),
    client_secret: z.object({ value: z.string(), expires_at: z.int().openapi({ description: 'Unix seconds' }) }),
  })
  .openapi('BetaSession')

const DEFAULT_SECONDS = 600

const KINDS = [
  { path: '/v1/realtime/sessions', type: 'realtime', object: 'realtime.session' },
  { path: '/v1/realtime/transcription_sessions', type: 'transcription', object: 'realtime.transcription_session' },
] as const

/**
 * The endpoints that minted secrets before `client_secrets`, which clients and many backends still call: the same secrets,
 * asked for and answered in the beta protocol's flat shape.
 */
export function olderSecretRoutes(app: OpenAPIHono, deps: ClientSecretDeps): void {
  allowOrigins(
    app,
    deps,
    KINDS.map((kind) => kind.path),
  )
  for (const { path, type, object } of KINDS) {
    const route = createRoute({
      method: 'post',
      path,
      summary: 'Mint a short-lived secret, in the older shape',
      request: { body: { content: { 'application/json': { schema: Request } }, required: false } },
      responses: {
        200: { description: 'The secret; shown once', content: { 'application/json': { schema: Answer } } },
      },
    })
    app.openapi(route, async (c) => {
      const body = Request.parse(c.req.header('content-type') === undefined ? {} : c.req.valid('json'))
      const { client_secret: wanted, ...session } = body
      const lifeSeconds = (wanted?.expires_after ?? wanted?.expires_at)?.seconds ?? DEFAULT_SECONDS
      const secret = await mint(c, deps, plainOrder(fromBeta(type, session), lifeSeconds))
      const client_secret = { value: secret.value, expires_at: secret.expiresAt }
      return c.json({ ...session, id: secret.id, object, client_secret }, 200)
    })
  }
}
