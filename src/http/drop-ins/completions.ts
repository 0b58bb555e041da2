import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ForwardCall } from '../../calls/media-provider.ts'
import { targetsOf } from '../../calls/targets.ts'
import { FaultError } from '../../faults.ts'
import { tooLarge } from '../../storage/measured.ts'
import { readBody } from './body-pictures.ts'
import { type DropInDeps, PREPARE_HEADER } from './drop-in-deps.ts'
import { MOST_PICTURES, shrink } from './smaller-pictures.ts'

/** OpenAI's paths, and Azure's for the same, by what they are at a provider. */
export const COMPLETION_PATHS: Readonly<Record<string, ForwardCall['path']>> = {
  '/v1/chat/completions': 'chat/completions',
  '/openai/v1/chat/completions': 'chat/completions',
  '/v1/responses': 'responses',
  '/openai/v1/responses': 'responses',
}

/** Pictures in base64 beside text, bytes. */
export const LARGEST_COMPLETION = 48 * 1_024 * 1_024

/** Q2: OpenAI's chat completions and responses: pictures are made smaller, everything else passes. */
export function completionRoutes(app: OpenAPIHono, deps: DropInDeps): void {
  for (const [path, at] of Object.entries(COMPLETION_PATHS)) {
    if (path.startsWith('/v1')) app.openAPIRegistry.registerPath({ ...DOCUMENT, path, summary: SUMMARIES[at] })
    const limit = bodyLimit({
      maxSize: LARGEST_COMPLETION,
      onError: () => {
        throw tooLarge(LARGEST_COMPLETION)
      },
    })
    app.post(path, limit, (c) => complete(c, deps, at))
  }
}

async function complete(
  c: Context,
  { config, clock, dropIns }: DropInDeps,
  path: ForwardCall['path'],
): Promise<Response> {
  const { principal, requestId } = c.var
  const { signal } = c.req.raw
  const written = await jsonOf(c)
  requirePriced(written)
  const { model } = written
  const [target] = targetsOf(config(), principal.tenant, model, 'vision', clock.now())
  if (target === undefined) throw new FaultError('upstream_unavailable', 'The model has no provider.')
  const { body, pictures, text, readsMore } = readBody(written)
  if (pictures.length > MOST_PICTURES)
    throw new FaultError('invalid_request', `A request holds at most ${MOST_PICTURES} pictures here.`)
  await using folder = await dropIns.folders.open()
  const { tools, fetcher } = dropIns
  const prepare = c.req.header(PREPARE_HEADER) === 'off' ? null : tools.preparePicture.bind(tools)
  const shrunk = await shrink({ prepare, fetcher }, pictures, target, folder, signal)
  const { tenant, keyId } = principal
  const answer = await dropIns.forwards.forward(
    { tenant, keyId, user: null, job: requestId, maxCost: null },
    { path, body, text, readsMore, pictureTokens: shrunk.tokens, leftOut: { pictureTokens: shrunk.saved } },
    signal,
  )
  if (pictures.length > 0) c.header('X-Parley-Saved-Tokens', String(shrunk.saved))
  c.header('Content-Type', answer.contentType)
  return c.body(ReadableStream.from(answer.body) as ReadableStream<Uint8Array>, answer.status as 200)
}

async function jsonOf(c: Context): Promise<Record<string, unknown> & { model: string }> {
  const value: unknown = await c.req.json().catch(() => null)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FaultError('invalid_request', 'The body is not valid JSON.')
  const { model } = value as Record<string, unknown>
  if (typeof model !== 'string' || model === '')
    throw new FaultError('missing_model', 'You must provide a model parameter.', { param: 'model' })
  return { ...value, model }
}

/** Sold at the price of the sheet, or at half of it; a dearer service is not known there (M2). */
const PRICED_TIERS: readonly unknown[] = [undefined, null, 'auto', 'default', 'flex']

/** What would be bought at a price that nobody here knows, or without a word about its usage, is refused. */
function requirePriced({ service_tier, background }: Record<string, unknown>): void {
  if (!PRICED_TIERS.includes(service_tier))
    throw new FaultError('invalid_request', 'That service_tier has no price here.', { param: 'service_tier' })
  if (background === true)
    throw new FaultError('invalid_request', 'Answers in the background cannot be booked here.', { param: 'background' })
}

const SUMMARIES: Record<ForwardCall['path'], string> = {
  'chat/completions': "A chat completion, as OpenAI's endpoint does: pictures are made smaller, the rest passes",
  responses: "A response, as OpenAI's endpoint does: pictures are made smaller, the rest passes",
}

/** For the document alone: the rest of the body is the provider's to judge. */
const DOCUMENT = {
  method: 'post',
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: { type: 'object', required: ['model'], properties: { model: { type: 'string' } } },
        },
      },
    } as never,
  },
  responses: {
    200: {
      description: "The provider's own answer",
      content: {
        'application/json': { schema: { type: 'object' } },
        'text/event-stream': { schema: { type: 'string' } },
      },
    },
  },
} as const
