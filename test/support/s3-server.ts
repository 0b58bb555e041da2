import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** So many names on one page of a list, few enough that tests see more than one. */
const PAGE = 3

/**
 * A bucket that speaks as much of S3 as storage needs, in memory: objects, ranges, lists in pages, uploads in parts.
 * Signatures are not checked.
 */
export class S3Server implements AsyncDisposable {
  readonly objects = new Map<string, Buffer>()
  /** Uploads in parts that have neither been completed nor given up. */
  readonly uploads = new Map<string, Map<number, Buffer>>()
  /** Answers every request with this status while it is set. */
  failing: number | null = null
  readonly #server: Server
  #made = 0

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  static async start(): Promise<S3Server> {
    const server = new S3Server()
    const { promise, resolve } = Promise.withResolvers<void>()
    server.#server.listen(0, '127.0.0.1', resolve)
    await promise
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request).catch(() => null)
    if (body === null) return
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    const key = decodeURIComponent(pathname.split('/').slice(2).join('/'))
    const upload = searchParams.get('uploadId')
    const method = request.method ?? ''
    const send = (status: number, text: string | Buffer = '', headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'Content-Length': String(Buffer.byteLength(text)), ...headers }).end(text)
    if (this.failing !== null) return void send(this.failing, '<Error><Code>InternalError</Code></Error>')

    if (method === 'GET' && key === '') return void send(200, this.#list(searchParams))
    if (method === 'POST' && searchParams.has('uploads')) {
      const id = `upload-${this.#made++}`
      this.uploads.set(id, new Map())
      return void send(200, `<R><UploadId>${id}</UploadId></R>`)
    }
    if (upload !== null) {
      const parts = this.uploads.get(upload)
      if (parts === undefined) return void send(404, '<Error><Code>NoSuchUpload</Code></Error>')
      if (method === 'PUT') {
        parts.set(Number(searchParams.get('partNumber')), body)
        return void send(200, '', { ETag: etag(body) })
      }
      this.uploads.delete(upload)
      if (method === 'DELETE') return void send(204)
      const whole = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, part]) => part))
      this.objects.set(key, whole)
      return void send(200, `<R><Key>${key}</Key><ETag>${etag(whole)}</ETag></R>`)
    }
    if (method === 'PUT') {
      this.objects.set(key, body)
      return void send(200, '', { ETag: etag(body) })
    }
    if (method === 'DELETE') {
      this.objects.delete(key)
      return void send(204)
    }
    const object = this.objects.get(key)
    if (object === undefined) return void send(404, method === 'HEAD' ? '' : '<Error><Code>NoSuchKey</Code></Error>')
    if (method === 'HEAD') return void response.writeHead(200, { 'Content-Length': String(object.length) }).end()
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    if (first === undefined) return void send(200, object)
    send(206, object.subarray(Number(first), Number(last) + 1))
  }

  #list(query: URLSearchParams): string {
    const after = query.get('continuation-token') ?? ''
    const names = [...this.objects.keys()]
      .filter((name) => name.startsWith(query.get('prefix') ?? '') && name > after)
      .sort()
    const page = names.slice(0, PAGE)
    const more = names.length > PAGE ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
    const contents = page.map((name) => `<Contents><Key>${name}</Key></Contents>`).join('')
    return `<R><IsTruncated>${more !== ''}</IsTruncated>${contents}${more}</R>`
  }
}

const etag = (bytes: Buffer) => `"${createHash('md5').update(bytes).digest('hex')}"`
