import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { SessionLook } from '../../broker/node/session-look.ts'
import { FaultError } from '../../faults.ts'
import { Bucket, Timeline } from '../../wire/console.ts'
import { SessionView } from '../sessions.ts'

export interface SessionLookRouteDeps {
  /** Null for a session that nobody knows. */
  lookAt(id: string): Promise<SessionLook | null>
}

const route = createRoute({
  method: 'get',
  path: '/v1/admin/sessions/{id}',
  summary: 'One session with its time line and its limits, without content',
  description:
    'The time line has the newest 100 moments: which event, when, from whom, and numbers. It is kept by the node that \
holds the session, and a while after its end.',
  request: { params: z.object({ id: z.string().max(64) }) },
  responses: {
    200: {
      description: 'The session',
      content: {
        'application/json': {
          schema: z
            .object({
              at: z.number().openapi({ description: 'The clock of the server that answers, Unix ms' }),
              session: SessionView,
              timeline: Timeline.nullable(),
              buckets: z.array(Bucket),
            })
            .openapi('SessionLook'),
        },
      },
    },
  },
})

export function sessionLookRoutes(app: OpenAPIHono, deps: SessionLookRouteDeps): void {
  app.openapi(route, async (c) => {
    const look = await deps.lookAt(c.req.valid('param').id)
    if (look === null) throw new FaultError('session_not_found', 'There is no such session.')
    c.header('Cache-Control', 'no-store')
    return c.json({ ...look, buckets: [...look.buckets] }, 200)
  })
}
