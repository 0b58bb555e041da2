import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { Server } from '@tus/server'
import type { Context } from 'hono'
import { type FaultCode, FaultError } from '../../faults.ts'
import type { Checksum } from '../../files/resumable-upload.ts'
import { InvalidRequest } from '../../invalid-request.ts'
import { isId } from '../../media/ids.ts'
import { doOnce } from './do-once.ts'
import { IdempotencyHeader, problems } from './schemas.ts'
import { type TusDeps, TusStore, tenantLocks } from './tus-store.ts'

const PATH = '/v1/uploads'
const VERSION = '1.0.0'
/** What a checksum may be made with, by the names that tus has for them. */
const ALGORITHMS = ['sha1', 'sha256', 'md5'] as const
/** Base64 of names and of the purpose; the whole head of a request is bounded by the server. */
const LONGEST_METADATA = 4_096
/** A line that is still open when its caller comes back has so long to bring what is under way, ms. */
const DRAIN_MS = 1_000

/** What tus has statuses for and this door has words for. */
const FAULTS: Record<number, readonly [FaultCode, string]> = {
  404: ['not_found', 'There is no such upload.'],
  409: ['offset_mismatch', 'The upload is not at this offset: ask with HEAD.'],
  410: ['upload_expired', 'The upload has expired: begin another.'],
  412: ['unsupported_version', `Send Tus-Resumable: ${VERSION}.`],
  413: ['payload_too_large', 'That is more than the upload has, or may have.'],
  501: ['not_supported', 'This extension of tus is not supported here.'],
}

/** Resumable uploads as tus 1.0 has them, onto files of the tenant's own. */
export function uploadRoutes(app: OpenAPIHono, deps: TusDeps): void {
  describeRoutes(app)
  app.on(['POST', 'OPTIONS'], PATH, (c) => answer(c, deps))
  app.on(['GET', 'PATCH', 'DELETE'], `${PATH}/:id`, (c) => answer(c, deps))
}

async function answer(c: Context, deps: TusDeps): Promise<Response> {
  c.header('Tus-Resumable', VERSION)
  const { method } = c.req
  if (method === 'GET') throw new FaultError('method_not_allowed', 'Ask with HEAD; the file is at /v1/files.')
  const isTus = method === 'OPTIONS' || c.req.header('tus-resumable') === VERSION
  if (!isTus) {
    c.header('Tus-Version', VERSION)
    throw faultFor(412)
  }
  const id = c.req.param('id')
  if (id !== undefined && !isId('file', id)) throw faultFor(404)
  if ((c.req.header('upload-metadata')?.length ?? 0) > LONGEST_METADATA) {
    throw new FaultError('invalid_request', `Upload-Metadata takes ${LONGEST_METADATA} characters.`)
  }
  const { signal } = c.req.raw
  const principal = c.get('principal')
  let failure: unknown = null
  const server = new Server({
    path: PATH,
    datastore: new TusStore(deps, principal, checksumOf(c), signal),
    locker: tenantLocks(deps.locks, principal?.tenant ?? ''),
    lockDrainTimeout: DRAIN_MS,
    relativeLocation: true,
    allowedOrigins: [],
    maxSize: deps.config().media.uploads.largestResumable,
    onResponseError: (_request, error) => {
      failure = error
      return undefined
    },
  })
  const ask = async () => {
    const response = await server.handleWeb(c.req.raw)
    if (response.status < 400) return response
    if (failure instanceof FaultError || failure instanceof InvalidRequest) throw failure
    throw response.status >= 500 && response.status !== 501 ? failure : faultFor(response.status)
  }
  const response = method === 'POST' ? await begin(c, deps, ask) : await ask()
  response.headers.set('Cache-Control', 'no-store')
  if (method === 'OPTIONS') response.headers.set('Tus-Checksum-Algorithm', ALGORITHMS.join(','))
  return response
}

/** A repeated beginning answers with the upload that the first has begun; how far that has come `HEAD` says. */
async function begin(c: Context, { once, memory }: TusDeps, ask: () => Promise<Response>): Promise<Response> {
  const told = ['upload-length', 'upload-metadata', 'upload-checksum', 'content-length']
  const content = told.map((name) => c.req.header(name) ?? '').join('\n')
  const { status } = await doOnce(c, once, content, async () => {
    await memory.requireRoom()
    const response = await ask()
    return { status: response.status, headers: Object.fromEntries(response.headers), body: '' }
  })
  return c.body(null, status as 201)
}

function faultFor(status: number): FaultError {
  const [code, message] = FAULTS[status] ?? ['invalid_request', 'The headers are not those of tus.']
  return new FaultError(code, message)
}

/** `Upload-Checksum: sha256 <base64>`; null without it. */
function checksumOf(c: Context): Checksum | null {
  const header = c.req.header('upload-checksum')
  if (header === undefined) return null
  const [, algorithm, digest] = /^(\w+) ([A-Za-z0-9+/]+={0,2})$/.exec(header) ?? []
  const known = ALGORITHMS.find((each) => each === algorithm)
  if (known !== undefined && digest !== undefined) return { algorithm: known, digest: Buffer.from(digest, 'base64') }
  throw new FaultError('invalid_request', `Upload-Checksum takes one of ${ALGORITHMS.join(', ')} and its base64.`)
}

/** For the document: bodies and headers are tus's own business, and are read by no schema. */
function describeRoutes(app: OpenAPIHono): void {
  const params = z.object({ id: z.string() })
  const version = { 'tus-resumable': z.literal(VERSION) }
  const bytes = {
    content: { 'application/offset+octet-stream': { schema: { type: 'string', format: 'binary' } as const } },
  }
  const checksum = { 'upload-checksum': z.string().optional().openapi({ example: 'sha256 …' }) }
  const routes = [
    createRoute({
      method: 'post',
      path: PATH,
      summary: 'Begin a resumable upload (tus 1.0)',
      description: 'Its id will be that of the file. `Upload-Metadata` may have `filename` and `purpose`.',
      request: {
        headers: z.object({
          ...version,
          ...checksum,
          'upload-length': z.string(),
          'upload-metadata': z.string().optional(),
          'idempotency-key': IdempotencyHeader,
        }),
        body: bytes,
      },
      responses: { 201: { description: 'Begun: see `Location`' }, ...problems(409, 412, 413, 415, 507) },
    }),
    createRoute({
      method: 'options',
      path: PATH,
      summary: 'What of tus is spoken here',
      responses: { 204: { description: 'See the headers' } },
    }),
    createRoute({
      method: 'head',
      path: `${PATH}/{id}`,
      summary: 'How far an upload has come',
      request: { params, headers: z.object(version) },
      responses: { 200: { description: 'See `Upload-Offset`' }, ...problems(404, 410, 412) },
    }),
    createRoute({
      method: 'patch',
      path: `${PATH}/{id}`,
      summary: 'Go on with an upload',
      description: 'After the last byte the file is at `/v1/files/{id}`.',
      request: { params, headers: z.object({ ...version, ...checksum, 'upload-offset': z.string() }), body: bytes },
      responses: { 204: { description: 'See `Upload-Offset`' }, ...problems(404, 409, 410, 412, 413, 415, 507) },
    }),
    createRoute({
      method: 'delete',
      path: `${PATH}/{id}`,
      summary: 'Give up an upload',
      request: { params, headers: z.object(version) },
      responses: { 204: { description: 'Its bytes are gone' }, ...problems(404, 409, 412) },
    }),
  ]
  for (const route of routes) app.openAPIRegistry.registerPath(route)
}
