import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import * as tus from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { FolderStorage } from '../../../src/storage/folder-storage.ts'
import { blobName } from '../../../src/storage/storage.ts'
import { FileStore } from '../../../src/store/files.ts'
import { eventually } from '../../support/eventually.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { demo, other, Parley } from '../../support/parley.ts'

const V = { 'Tus-Resumable': '1.0.0' }
const BYTES = { ...V, 'Content-Type': 'application/offset+octet-stream' }

describe('resumable uploads', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let mine: MediaCaller
  let theirs: MediaCaller
  let files: FileStore

  beforeAll(async () => {
    const plans = { default: { jobs: { requestsPerMinute: null, storage: '200MiB' } } }
    parley = stack.use(await Parley.start({ policy: { plans, media: { uploads: { largestResumable: '100MiB' } } } }))
    mine = new MediaCaller(parley)
    theirs = new MediaCaller(parley, other.key)
    files = new FileStore(parley.store.redis)
  })
  afterAll(() => stack.disposeAsync())

  const begin = async (length: number, headers: Record<string, string> = {}) => {
    const begun = await mine.ask('POST', '/v1/uploads', {
      headers: { ...V, 'Upload-Length': String(length), ...headers },
    })
    expect(begun.status, begun.text).toBe(201)
    return begun.headers.get('location') as string
  }
  const patch = (path: string, offset: number, bytes: Uint8Array, headers: Record<string, string> = {}) =>
    mine.ask('PATCH', path, {
      headers: { ...BYTES, 'Upload-Offset': String(offset), ...headers },
      body: bytes as never,
    })
  const offset = async (path: string) => (await mine.ask('HEAD', path, { headers: V })).headers.get('upload-offset')
  const fileOf = async (path: string) => {
    const id = path.split('/').at(-1) ?? ''
    const whole = await mine.open('GET', `/v1/files/${id}/content`)
    return Buffer.from(await whole.arrayBuffer())
  }
  const blobs = async () => {
    const { storage } = parley.config.media
    return storage.type === 'folder' ? readdir(join(storage.path, 'acme')).catch(() => []) : []
  }

  test('Q1 one that names itself is begun once, whatever is sent again, and another under its key is refused', async () => {
    const key = { 'Idempotency-Key': 'begin-1' }
    const ask = (length: number) =>
      mine.ask('POST', '/v1/uploads', { headers: { ...V, ...key, 'Upload-Length': String(length) } })
    const held = await files.held('acme')
    const first = await ask(7)
    const again = await ask(7)
    expect([first.status, again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 201, 'true'])
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    expect(again.headers.get('tus-resumable')).toBe('1.0.0')
    expect(await files.held('acme')).toEqual({ bytes: held.bytes + 7, files: held.files + 1 })
    const other = await ask(8)
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch'])
    await mine.ask('DELETE', first.headers.get('location') ?? '', { headers: V })
  })

  /** Bytes that lie in storage and do not count yet. */
  const incoming = async () => {
    const folder = join((parley.config.media.storage as { path: string }).path, '.incoming')
    const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size)
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  }

  /** Uploads with the field's own client; `stopAt`: gives up once so many bytes have been taken. */
  function send(bytes: Buffer, options: Partial<tus.UploadOptions>, stopAt = Number.POSITIVE_INFINITY) {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const upload = new tus.Upload(bytes, {
      endpoint: `${parley.url}/v1/uploads`,
      headers: { Authorization: `Bearer ${demo.key}` },
      metadata: { filename: 'a.wav', purpose: 'media' },
      retryDelays: null,
      onError: reject,
      onSuccess: () => resolve(upload.url ?? ''),
      onChunkComplete: (_size, taken) => {
        if (taken >= stopAt) void upload.abort().then(() => resolve(upload.url ?? ''))
      },
      ...options,
    })
    upload.start()
    return promise
  }

  test('Q1 the client of the field brings a file over, in chunks or at once', async () => {
    const bytes = randomBytes(300_000)
    for (const chunkSize of [64 * 1_024, Number.POSITIVE_INFINITY]) {
      const url = await send(bytes, { chunkSize })
      const id = url.split('/').at(-1)
      expect((await mine.get(`/v1/files/${id}`)).body).toMatchObject({
        ...{ id, size_bytes: 300_000, filename: 'a.wav', purpose: 'media' },
        sha256: createHash('sha256').update(bytes).digest('hex'),
      })
      expect((await fileOf(url)).equals(bytes)).toBe(true)
      expect(await blobs()).toEqual([id])
      expect((await mine.ask('DELETE', new URL(url).pathname, { headers: V })).status).toBe(204)
      expect((await mine.get(`/v1/files/${id}`)).status).toBe(404)
    }
    expect(await files.held('acme')).toEqual({ bytes: 0, files: 0 })
  })

  test('Q1 an upload goes on from every byte at which it may have stopped', async () => {
    const bytes = randomBytes(61)
    for (let stop = 1; stop < bytes.length; stop++) {
      const url = await send(bytes, { chunkSize: stop, uploadLengthDeferred: false }, stop)
      expect(await offset(new URL(url).pathname), `stopped at ${stop}`).toBe(String(stop))
      await send(bytes, { uploadUrl: url })
      expect((await fileOf(url)).equals(bytes), `stopped at ${stop}`).toBe(true)
      await mine.ask('DELETE', new URL(url).pathname, { headers: V })
    }
    const path = await begin(bytes.length)
    for (let at = 0; at < bytes.length; at++) {
      const answer = await patch(path, at, bytes.subarray(at, at + 1))
      expect([answer.status, answer.headers.get('upload-offset')]).toEqual([204, String(at + 1)])
    }
    expect((await fileOf(path)).equals(bytes)).toBe(true)
    await mine.ask('DELETE', path, { headers: V })
    expect(await blobs()).toEqual([])
  })

  test('Q1 what came over a line that was cut is kept', async () => {
    const bytes = randomBytes(2_000)
    const path = await begin(bytes.length)
    const socket = connect(Number(new URL(parley.url).port))
    await once(socket, 'connect')
    const headers = {
      ...BYTES,
      Host: 'x',
      Authorization: `Bearer ${demo.key}`,
      'Content-Length': 2_000,
      'Upload-Offset': 0,
    }
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`PATCH ${path} HTTP/1.1\r\n${head.join('')}\r\n`)
    socket.write(bytes.subarray(0, 1_234))
    await eventually(async () => expect(await incoming()).toBe(1_234), 5_000)
    socket.destroy()
    await eventually(async () => expect(await offset(path)).toBe('1234'), 5_000)
    expect((await patch(path, 1_234, bytes.subarray(1_234))).status).toBe(204)
    expect((await fileOf(path)).equals(bytes)).toBe(true)
    await mine.ask('DELETE', path, { headers: V })
  })

  test('Q1 whoever comes back over a new line does not wait for the old one to be given up', async () => {
    const bytes = randomBytes(1_000)
    const path = await begin(bytes.length)
    const socket = connect(Number(new URL(parley.url).port))
    await once(socket, 'connect')
    const headers = {
      ...BYTES,
      Host: 'x',
      Authorization: `Bearer ${demo.key}`,
      'Content-Length': 1_000,
      'Upload-Offset': 0,
    }
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`PATCH ${path} HTTP/1.1\r\n${head.join('')}\r\n`)
    socket.write(bytes.subarray(0, 10))
    // The old line stays open, half dead, and its ten bytes count.
    await eventually(async () => expect(await offset(path)).toBe('10'), 8_000)
    expect((await patch(path, 10, bytes.subarray(10))).status).toBe(204)
    expect((await fileOf(path)).equals(bytes)).toBe(true)
    socket.destroy()
    await mine.ask('DELETE', path, { headers: V })
  })

  test('Q1 a large upload is taken in pieces, of which none remains when the file is made', async () => {
    const bytes = randomBytes(18_000_000)
    const path = await begin(bytes.length)
    expect((await patch(path, 0, bytes.subarray(0, 17_999_999))).headers.get('upload-offset')).toBe('17999999')
    expect((await blobs()).length).toBe(2)
    expect((await patch(path, 17_999_999, bytes.subarray(17_999_999))).status).toBe(204)
    expect(await blobs()).toEqual([path.split('/').at(-1)])
    expect((await fileOf(path)).equals(bytes)).toBe(true)
    await mine.ask('DELETE', path, { headers: V })
    expect(await files.held('acme')).toEqual({ bytes: 0, files: 0 })
  })

  test('Q1 bytes with a checksum count whole or not at all', async () => {
    const bytes = randomBytes(1_000)
    const path = await begin(1_000)
    const sum = (algorithm: string, of: Uint8Array) => ({
      'Upload-Checksum': `${algorithm} ${createHash(algorithm).update(of).digest('base64')}`,
    })
    const wrong = await patch(path, 0, bytes, sum('sha256', bytes.subarray(1)))
    expect([wrong.status, wrong.body.code]).toEqual([460, 'checksum_mismatch'])
    expect([await offset(path), await blobs()]).toEqual(['0', []])
    expect((await patch(path, 0, bytes, { 'Upload-Checksum': 'crc32 AAAA' })).status).toBe(400)
    expect((await patch(path, 0, bytes.subarray(0, 500), sum('sha1', bytes.subarray(0, 500)))).status).toBe(204)
    expect((await patch(path, 500, bytes.subarray(500), sum('sha256', bytes.subarray(500)))).status).toBe(204)
    expect((await fileOf(path)).equals(bytes)).toBe(true)
    await mine.ask('DELETE', path, { headers: V })
  })

  test('Q1 two that send the same bytes at once bring them once', async () => {
    const bytes = randomBytes(100_000)
    const path = await begin(100_000)
    const all = await Promise.all(Array.from({ length: 8 }, () => patch(path, 0, bytes)))
    const statuses = all.map(({ status }) => status).sort()
    expect(statuses).toEqual([204, ...Array(7).fill(409)])
    expect((await fileOf(path)).equals(bytes)).toBe(true)
    expect(await blobs()).toEqual([path.split('/').at(-1)])
    await mine.ask('DELETE', path, { headers: V })
  })

  test('Q1 what was all there when its node died becomes the file when somebody asks', async () => {
    const bytes = randomBytes(100)
    const path = await begin(100)
    await patch(path, 0, bytes.subarray(0, 99))
    const id = path.split('/').at(-1) ?? ''
    // As the node would have written the last byte, before it could go on.
    const place = parley.config.media.storage as { path: string }
    const storage = await FolderStorage.open(place.path, 0, systemClock.now())
    async function* last() {
      yield bytes.subarray(99)
    }
    await storage.write(blobName('acme', `${id}.99.last`), last(), 1)
    await files.append('acme', id, { at: 99, bytes: 1, name: `${id}.99.last` })
    expect((await mine.get(`/v1/files/${id}`)).status).toBe(404)
    expect(await offset(path)).toBe('100')
    expect((await fileOf(path)).equals(bytes)).toBe(true)
    await mine.ask('DELETE', path, { headers: V })
  })

  test('Q1 refusals have the status that tus has for them, and say why', async () => {
    const path = await begin(100, { 'Upload-Metadata': `filename ${btoa('../x.wav')},purpose ${btoa('batch')}` })
    const options = await mine.ask('OPTIONS', '/v1/uploads')
    expect(Object.fromEntries(options.headers)).toMatchObject({
      'tus-version': '1.0.0',
      'tus-extension': 'creation,creation-with-upload,expiration,termination,checksum',
      'tus-checksum-algorithm': 'sha1,sha256,md5',
      'tus-max-size': String(100 * 1_024 * 1_024),
    })
    const post = (headers: Record<string, string>) => mine.ask('POST', '/v1/uploads', { headers })
    for (const [name, answer, status, code] of [
      ['offset', await patch(path, 5, Buffer.alloc(1)), 409, 'offset_mismatch'],
      ['too much', await patch(path, 0, Buffer.alloc(101)), 413, 'payload_too_large'],
      ['version', await post({ 'Upload-Length': '5' }), 412, 'unsupported_version'],
      ['too large', await post({ ...V, 'Upload-Length': '104857601' }), 413, 'payload_too_large'],
      ['empty', await post({ ...V, 'Upload-Length': '0' }), 400, 'invalid_request'],
      ['no length', await post({ ...V }), 400, 'invalid_request'],
      ['deferred', await post({ ...V, 'Upload-Defer-Length': '1' }), 501, 'not_supported'],
      ['metadata', await post({ ...V, 'Upload-Length': '5', 'Upload-Metadata': 'a b c' }), 400, 'invalid_request'],
      ['read', await mine.get(path), 405, 'method_not_allowed'],
      [
        'purpose',
        await post({ ...V, 'Upload-Length': '5', 'Upload-Metadata': `purpose ${btoa('output')}` }),
        422,
        'invalid_request',
      ],
    ] as const) {
      expect([name, answer.status, answer.body?.code]).toEqual([name, status, code])
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      expect(answer.headers.get('tus-resumable')).toBe('1.0.0')
    }
    // Its length is held in the quota until it comes or expires.
    expect(await files.held('acme')).toEqual({ bytes: 100, files: 1 })
    for (const caller of [theirs, mine]) {
      for (const [method, headers] of [
        ['HEAD', V],
        ['PATCH', { ...BYTES, 'Upload-Offset': '0' }],
        ['DELETE', V],
      ] as const) {
        const target = caller === theirs ? path : '/v1/uploads/file_01aaaaaaaaaaaaaaaaaaaaaaaa'
        const body = method === 'PATCH' ? { body: 'x' } : {}
        expect((await caller.ask(method, target, { headers, ...body })).status, method).toBe(404)
      }
    }
    expect(await offset(path)).toBe('0')
    const { body } = await mine.ask('DELETE', path, { headers: V })
    expect([body, await offset(path)]).toEqual([null, null])
    const quota = await Promise.all([1, 2, 3].map(() => post({ ...V, 'Upload-Length': '104857600' })))
    expect(quota.map(({ status }) => status).sort()).toEqual([201, 201, 507])
  })
})
