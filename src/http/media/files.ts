import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { FaultError } from '../../faults.ts'
import type { FileDesk } from '../../files/file-desk.ts'
import { isId } from '../../media/ids.ts'
import { FILE_PURPOSES, type MediaFile } from '../../media/media-file.ts'
import type { Storage } from '../../storage/storage.ts'
import type { FileStore } from '../../store/files.ts'
import type { IdempotentRequests } from '../../store/idempotent-requests.ts'
import { jsonOnce } from './do-once.ts'
import { fileContent } from './file-content.ts'
import { FileView, fileView } from './file-view.ts'
import type { GuardDeps, RoomDeps } from './guard.ts'
import { NamedRequest, PageQuery, page, pageOf, problems } from './schemas.ts'
import { uploadBody } from './upload-body.ts'

export interface FileRouteDeps extends GuardDeps, RoomDeps {
  storage: Storage
  files: FileStore
  desk: FileDesk
  once: IdempotentRequests
}

const Id = z.object({ id: z.string().max(64) })
const binary = z.string().openapi({ format: 'binary' })
const ok = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

const create = createRoute({
  method: 'post',
  path: '/v1/files',
  summary: 'Upload a file in one request',
  description:
    'The file as the whole body, or as the part `file` of a form. What is larger or comes over a bad line: `/v1/uploads`.',
  request: {
    headers: NamedRequest,
    query: z.object({
      purpose: z.enum(['media', 'batch']).optional().openapi({ description: 'Of a raw body; `media` when left out' }),
      filename: z.string().max(1_024).optional().openapi({ description: 'Of a raw body' }),
    }),
  },
  responses: {
    201: ok(FileView, 'The file, as it turned out to be'),
    ...problems(409, 411, 413, 415, 507),
  },
})
const list = createRoute({
  method: 'get',
  path: '/v1/files',
  summary: 'Files, newest first',
  request: { query: PageQuery.extend({ purpose: z.enum(FILE_PURPOSES).optional() }) },
  responses: { 200: ok(pageOf(FileView), 'One page'), ...problems() },
})
const get = createRoute({
  method: 'get',
  path: '/v1/files/{id}',
  summary: 'What is known of a file',
  request: { params: Id },
  responses: { 200: ok(FileView, 'The file'), ...problems(404) },
})
const content = createRoute({
  method: 'get',
  path: '/v1/files/{id}/content',
  summary: 'The bytes of a file',
  request: { params: Id },
  responses: {
    200: { description: 'All of it', content: { 'application/octet-stream': { schema: binary } } },
    206: { description: 'The range that was asked for', content: { 'application/octet-stream': { schema: binary } } },
    304: { description: 'Still as `If-None-Match` has it' },
    ...problems(404, 416),
  },
})
const remove = createRoute({
  method: 'delete',
  path: '/v1/files/{id}',
  summary: 'Remove a file',
  request: { params: Id },
  responses: { 204: { description: 'Its bytes are gone' }, ...problems(404, 409) },
})

/** Both ways a file can be sent, for the document alone: the body is never read by a schema. */
const BODIES = {
  required: true,
  content: {
    'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
    'multipart/form-data': {
      schema: {
        type: 'object',
        required: ['file'],
        properties: {
          file: { type: 'string', format: 'binary' },
          purpose: { type: 'string', enum: ['media', 'batch'] },
        },
      },
    },
  },
} as const

export function fileRoutes(app: OpenAPIHono, deps: FileRouteDeps): void {
  app.openAPIRegistry.registerPath({ ...create, request: { ...create.request, body: BODIES as never } })
  app.openapi({ ...create, hide: true }, async (c) => {
    const query = c.req.valid('query')
    const { principal } = c.var
    const { uploads } = deps.config().media
    const length = c.req.header('content-length') ?? 'chunked'
    const declared = c.req.header('repr-digest') ?? c.req.header('content-digest') ?? ''
    const content = [length, declared, query.purpose, query.filename].join('\n')
    const view = await jsonOnce(c, deps.once, content, async () => {
      await deps.memory.requireRoom()
      const incoming = await uploadBody(c, query, uploads.largest)
      const order = { tenant: principal.tenant, keyId: principal.keyId, keep: uploads.keepUnused, ...incoming }
      const body = fileView(await deps.desk.take(order, incoming.source, c.req.raw.signal))
      return { body, headers: { Location: body.urls.self } }
    })
    return c.json(view, 201)
  })
  app.openapi(list, async (c) => {
    const { files, hasMore } = await deps.files.list(c.var.principal.tenant, c.req.valid('query'))
    return c.json(page(files.map(fileView), hasMore), 200)
  })
  app.openapi(get, async (c) => c.json(fileView(await own(c, deps, c.req.valid('param').id)), 200))
  app.openapi(
    content,
    async (c) => fileContent(c, deps.storage, await own(c, deps, c.req.valid('param').id)) as Promise<never>,
  )
  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param')
    const answer = isId('file', id) ? await deps.desk.remove(c.var.principal.tenant, id) : 'none'
    if (answer === 'needed') throw new FaultError('in_use', 'A job still needs this file: cancel the job first.')
    if (answer === 'none') throw noFile()
    return c.body(null, 204)
  })
}

/** Another tenant's file is not there, as far as anybody can tell. */
async function own(c: Context, deps: FileRouteDeps, id: string): Promise<MediaFile> {
  const file = isId('file', id) ? await deps.files.read(c.get('principal').tenant, id) : null
  if (file === null) throw noFile()
  return file
}

const noFile = () => new FaultError('not_found', 'There is no such file.')
