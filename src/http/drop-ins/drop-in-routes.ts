import type { OpenAPIHono } from '@hono/zod-openapi'
import { guard } from '../media/guard.ts'
import { COMPLETION_PATHS, completionRoutes } from './completions.ts'
import type { DropInDeps } from './drop-in-deps.ts'
import { TRANSCRIPTION_PATHS, transcriptionRoutes } from './transcriptions.ts'

/** Q2: paths of OpenAI's own for media, for code that exists; errors in OpenAI's shape. Keys need the scope `jobs`. */
export function dropInRoutes(app: OpenAPIHono, deps: DropInDeps): void {
  const letIn = guard(deps)
  for (const path of [...TRANSCRIPTION_PATHS, ...Object.keys(COMPLETION_PATHS)]) app.use(path, letIn)
  transcriptionRoutes(app, deps)
  completionRoutes(app, deps)
}
