import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FileStore } from '../../../src/store/files.ts'
import { eventually } from '../../support/eventually.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { demo, other, Parley } from '../../support/parley.ts'

const bytes = randomBytes(300_000)
const PROBLEM = { type: expect.any(String), title: expect.any(String), retryable: expect.any(Boolean) }

describe('files over HTTP', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let mine: MediaCaller
  let theirs: MediaCaller

  beforeAll(async () => {
    parley = stack.use(await Parley.start({ policy: { media: { uploads: { largest: '1MiB' } } } }))
    mine = new MediaCaller(parley)
    theirs = new MediaCaller(parley, other.key)
  })
  afterAll(() => stack.disposeAsync())

  const held = () => new FileStore(parley.store.redis).held('acme')

  test('Q1 a raw body becomes a file that can be read back, whole, in ranges and conditionally', async () => {
    const made = await mine.upload(bytes, '?filename=..%2Fa%20%22caf%C3%A9%22.wav')
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(made.status).toBe(201)
    expect(made.headers.get('location')).toBe(`/v1/files/${made.body.id}`)
    expect(made.headers.get('x-request-id')).toMatch(/^req_/)
    expect(made.body).toMatchObject({ object: 'file', size_bytes: 300_000, sha256, filename: 'a "café".wav' })
    const path = `/v1/files/${made.body.id}`
    expect((await mine.get(path)).body).toEqual(made.body)

    const whole = await mine.open('GET', `${path}/content`)
    expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true)
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-length': '300000',
      'content-disposition': `attachment; filename="a _caf__.wav"; filename*=UTF-8''a%20%22caf%C3%A9%22.wav`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      etag: `"${sha256}"`,
    })
    for (const [range, first, last] of [
      ['bytes=0-0', 0, 0],
      ['bytes=100-199', 100, 199],
      ['bytes=299990-', 299_990, 299_999],
      ['bytes=-5', 299_995, 299_999],
      ['bytes=299999-999999', 299_999, 299_999],
    ] as const) {
      const part = await mine.open('GET', `${path}/content`, { headers: { Range: range } })
      expect(part.status, range).toBe(206)
      expect(part.headers.get('content-range')).toBe(`bytes ${first}-${last}/300000`)
      expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(first, last + 1))).toBe(true)
    }
    const past = await mine.get(`${path}/content`, { Range: 'bytes=300000-' })
    expect([past.status, past.headers.get('content-range')]).toEqual([416, 'bytes */300000'])
    expect((await mine.get(`${path}/content`, { 'If-None-Match': `"${sha256}"` })).status).toBe(304)
    const changed = { Range: 'bytes=0-0', 'If-Range': '"another"' }
    expect((await mine.open('GET', `${path}/content`, { headers: changed })).status).toBe(200)
    const head = await mine.ask('HEAD', `${path}/content`)
    expect([head.status, head.headers.get('content-length'), head.text]).toEqual([200, '300000', ''])

    expect((await mine.ask('DELETE', path)).status).toBe(204)
    expect((await mine.get(path)).status).toBe(404)
    expect((await mine.get(`${path}/content`)).status).toBe(404)
    expect((await mine.ask('DELETE', path)).status).toBe(404)
    expect(await held()).toEqual({ bytes: 0, files: 0 })
  })

  test('Q1 a form is one as well, its fields in any order', async () => {
    const file = new File(['{"a":1}\n'], 'lines.jsonl')
    for (const fields of [
      { file, purpose: 'batch' },
      { purpose: 'batch', file },
    ]) {
      const made = await mine.form(fields)
      expect(made.body).toMatchObject({ purpose: 'batch', filename: 'lines.jsonl', size_bytes: 8 })
      await mine.ask('DELETE', `/v1/files/${made.body.id}`)
    }
    expect((await mine.form({ purpose: 'batch' })).body.errors).toMatchObject([{ pointer: '/file' }])
    expect((await mine.form({ file, purpose: 'output' })).body.errors).toMatchObject([{ pointer: '/purpose' }])
    expect((await mine.form({ file, colour: 'red' })).body.errors).toMatchObject([{ pointer: '/colour' }])
    expect(await held()).toEqual({ bytes: 0, files: 0 })
  })

  test('Q1 what is too large is refused, whether it says so or not', async () => {
    const large = randomBytes(1_100_000)
    async function* pieces() {
      for (let at = 0; at < large.length; at += 50_000) yield large.subarray(at, at + 50_000)
    }
    const chunked = { body: ReadableStream.from(pieces()), duplex: 'half' } as RequestInit
    const answers = [
      await mine.upload(large),
      await mine.form({ file: new File([large], 'x') }),
      await mine.ask('POST', '/v1/files', chunked),
    ]
    for (const { status, body, headers } of answers) {
      expect(status).toBe(413)
      expect(headers.get('content-type')).toBe('application/problem+json')
      expect(body).toMatchObject({ ...PROBLEM, status: 413, code: 'payload_too_large', instance: '/v1/files' })
    }
    expect((await mine.upload('')).status).toBe(400)
    expect(await held()).toEqual({ bytes: 0, files: 0 })
  })

  test('Q1 a sender that hangs up in the middle leaves nothing behind', async () => {
    const socket = connect(Number(new URL(parley.url).port))
    await once(socket, 'connect')
    const head = `POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${demo.key}\r\nContent-Length: 1000\r\n\r\n`
    socket.write(`${head}${'x'.repeat(500)}`)
    await eventually(async () => expect(await held()).toEqual({ bytes: 1_000, files: 1 }), 5_000)
    socket.destroy()
    await eventually(async () => expect(await held()).toEqual({ bytes: 0, files: 0 }), 5_000)
  })

  test('Q1 a body of which nobody knows the end is refused', async () => {
    const socket = connect(Number(new URL(parley.url).port))
    socket.write(`POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${demo.key}\r\n\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1.1 411 /)
    socket.destroy()
  })

  test('Q1 the same upload sent again under one key is one file; another under it is refused', async () => {
    const key = { 'Idempotency-Key': 'upload-1' }
    const all = await Promise.all(Array.from({ length: 10 }, () => mine.upload('abc', '', key)))
    const made = all.filter(({ status }) => status === 201)
    for (const { status, body } of all) if (status !== 201) expect(body.code).toBe('idempotency_conflict')
    const again = await mine.upload('abc', '', { 'Idempotency-Key': '"upload-1"' })
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(new Set([...made, again].map(({ body }) => body.id)).size).toBe(1)
    expect((await mine.upload('abcd', '', key)).body.code).toBe('idempotency_mismatch')
    expect((await theirs.upload('abcd', '', key)).status).toBe(201)
    expect((await mine.upload('x', '', { 'Idempotency-Key': 'a b' })).status).toBe(400)
    expect((await held()).files).toBe(1)
  })

  test('Q7 what is not yours is not there: the same answer as for what never was', async () => {
    const { body } = await mine.upload('abc')
    const never = 'file_01aaaaaaaaaaaaaaaaaaaaaaaa'
    for (const [method, tail] of [
      ['GET', ''],
      ['GET', '/content'],
      ['DELETE', ''],
    ] as const) {
      const answers = await Promise.all(
        [body.id, never, 'file_1', 'x'].map((id) => theirs.ask(method, `/v1/files/${id}${tail}`)),
      )
      const bodies = answers.map((each) => ({ ...each.body, instance: '', request_id: '' }))
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
      expect(new Set(bodies.map((each) => JSON.stringify(each))).size).toBe(1)
    }
    expect((await theirs.get('/v1/files?limit=200')).text).not.toContain(body.id)
    expect((await mine.get('/v1/files?limit=200')).text).toContain(body.id)
  })

  test('Q1 refusals are problems: what is wrong, all of it, and whether to come back', async () => {
    const bad = await mine.get('/v1/files?limit=0&purpose=art')
    expect(bad.status).toBe(422)
    expect(bad.body).toMatchObject({ ...PROBLEM, code: 'invalid_request', retryable: false })
    expect(bad.body.errors.map((error: { in: string; pointer: string }) => [error.in, error.pointer])).toEqual([
      ['query', 'limit'],
      ['query', 'purpose'],
    ])
    const nobody = await new MediaCaller(parley, 'sk_test_x').get('/v1/files')
    expect(nobody.status).toBe(401)
    expect(nobody.headers.get('www-authenticate')).toBe('Bearer')
    expect(nobody.body).toMatchObject({
      ...PROBLEM,
      code: 'unauthorized',
      request_id: nobody.headers.get('x-request-id'),
    })
    const odd = await mine.ask('PUT', '/v1/files/file_1')
    expect([odd.status, odd.headers.get('allow'), odd.body.code]).toEqual([
      405,
      'GET, HEAD, DELETE',
      'method_not_allowed',
    ])
    expect((await mine.get('/v1/files/a/b/c')).body.code).toBe('not_found')
    expect((await mine.get('/v1/nothing')).body.error.code).toBe('not_found')
  })
})

describe('requests of one key', () => {
  test('Q7 are counted for all nodes together, told in headers and refused with the wait', async () => {
    await using parley = await Parley.start({ policy: { plans: { default: { jobs: { requestsPerMinute: 20 } } } } })
    await using second = await Parley.start({
      policy: { plans: { default: { jobs: { requestsPerMinute: 20 } } } },
      store: parley.store,
    })
    const callers = [new MediaCaller(parley), new MediaCaller(second)]
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => callers[i % 2]!.get('/v1/files')))
    const refused = answers.filter(({ status }) => status === 429)
    // A request of twenty a minute comes back every three seconds.
    expect(refused.length).toBeGreaterThanOrEqual(18)
    expect(refused.length).toBeLessThanOrEqual(20)
    const lefts = answers.map(({ headers }) => /^"requests";r=(\d+);t=(\d+)$/.exec(headers.get('ratelimit') ?? '')!)
    expect(Math.max(...lefts.map(([, left]) => Number(left)))).toBe(19)
    for (const { headers, body } of refused) {
      expect(headers.get('ratelimit-policy')).toBe('"requests";q=20;w=60')
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      expect(body).toMatchObject({ code: 'rate_limited', retryable: true, retry_after_ms: expect.any(Number) })
      expect(body.type).toContain('quota-exceeded')
    }
    expect((await new MediaCaller(parley, other.key).get('/v1/files')).status).toBe(200)
  })
})
