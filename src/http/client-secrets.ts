import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { secretLimits } from '../config/limits-schema.ts'
import { seconds } from '../units.ts'
import { allowOrigins, type ClientSecretDeps, mint } from './mint.ts'

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

/** OpenAI's path, and Azure's for the same. */
const PATHS = ['/v1/realtime/client_secrets', '/openai/v1/realtime/client_secrets'] as const

export function clientSecretRoutes(app: OpenAPIHono, deps: ClientSecretDeps): void {
  allowOrigins(app, deps, PATHS)
  for (const path of PATHS) {
    const route = createRoute({
      method: 'post',
      path,
      summary: 'Mint a short-lived secret for a browser',
      request: { body: { content: { 'application/json': { schema: Request } }, required: false } },
      responses: {
        200: { description: 'The secret; shown once', content: { 'application/json': { schema: Answer } } },
      },
    })
    app.openapi(route, async (c) => {
      const body = c.req.header('content-type') === undefined ? Request.parse({}) : c.req.valid('json')
      const { expires_after, session, parley } = body
      const secret = await mint(c, deps, { ...parley, session, life: seconds(expires_after.seconds) })
      const object = session.type === 'transcription' ? 'realtime.transcription_session' : 'realtime.session'
      const answer = {
        value: secret.value,
        expires_at: secret.expiresAt,
        session: { ...session, id: secret.id, object },
      }
      return c.json(answer, 200)
    })
  }
}
