import { z } from '@hono/zod-openapi'
import { Whole } from '../../jobs/wire.ts'

export const ProblemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:parley:problem:not_found' }),
    title: z.string(),
    status: Whole,
    detail: z.string(),
    instance: z.string(),
    code: z.string().openapi({ description: 'Stable; expect more of them to come' }),
    request_id: z.string(),
    retryable: z.boolean().openapi({ description: 'Whether the same request may do better later' }),
    retry_after_ms: Whole.nullable(),
    errors: z
      .array(
        z.object({
          in: z.enum(['body', 'query', 'header', 'path']),
          pointer: z.string().openapi({ description: 'JSON Pointer into the body; else the name of the parameter' }),
          code: z.string(),
          message: z.string(),
        }),
      )
      .optional()
      .openapi({ description: 'With 422: everything that is wrong at once' }),
  })
  .openapi('Problem')

const DESCRIPTIONS = {
  400: 'Malformed',
  401: 'No key, or a bad one',
  402: 'The money for it is used up',
  403: 'The key may not do this',
  404: 'There is none, or it is not yours',
  409: 'Not in this state, or not now',
  410: 'No longer there',
  411: 'Send Content-Length, or the body in chunks',
  412: 'Not this version of the protocol',
  413: 'Too large',
  415: 'Not a kind of media that is taken',
  416: 'No such range',
  422: 'Well-formed and not valid',
  429: 'Too many; come back after Retry-After',
  502: 'What it needs from elsewhere could not be had',
  503: 'Not now; come back after Retry-After',
  507: 'No room for it',
} as const

/** Failures of a route beside those that every route has. */
export function problems(...statuses: (keyof typeof DESCRIPTIONS)[]) {
  const all = [...new Set([400, 401, 403, 422, 429, 503, ...statuses] as const)].sort((a, b) => a - b)
  return Object.fromEntries(
    all.map((status) => [
      status,
      { description: DESCRIPTIONS[status], content: { 'application/problem+json': { schema: ProblemSchema } } },
    ]),
  )
}

/** What every list has beside its data: keyset paging, newest first. */
export const PageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(20),
  after: z.string().max(64).optional().openapi({ description: 'Id of the last one of the page before' }),
  before: z.string().max(64).optional().openapi({ description: 'Id of the first one of the page after' }),
})

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    object: z.literal('list'),
    data: z.array(item),
    has_more: z.boolean(),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
  })

export function page<T extends { id: string }>(data: T[], hasMore: boolean) {
  const [first_id, last_id] = [data[0]?.id ?? null, data.at(-1)?.id ?? null]
  return { object: 'list' as const, data, has_more: hasMore, first_id, last_id }
}

export const IdempotencyHeader = z
  .string()
  .max(520)
  .optional()
  .openapi({ description: 'Names the request, so that sending it again does it once. Bare, or a quoted string' })

/** Headers of a request that may name itself. */
export const NamedRequest = z.object({ 'idempotency-key': IdempotencyHeader })
