import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pages, pcm, silence, speech } from '../../../fixtures/index.ts'
import { FileStore } from '../../../src/store/files.ts'
import { wav } from '../../../src/talk/wav.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { Parley } from '../../support/parley.ts'

const V = { 'Tus-Resumable': '1.0.0' }
const recording = readFileSync(speech.order.file)

describe('files where media is looked into', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let port: number
  let mine: MediaCaller

  beforeAll(async () => {
    const server = createServer(
      ({ url }, response) => void response.writeHead(url === '/a.wav' ? 200 : 404).end(recording),
    )
    stack.defer(() => void server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    port = (server.address() as AddressInfo).port
    const outbound = { allowHttp: true, ports: [port], allowPrivate: ['127.0.0.0/8'] }
    parley = stack.use(await Parley.start({ tools: true, policy: { outbound } }))
    mine = new MediaCaller(parley)
  }, 60_000)
  afterAll(() => stack.disposeAsync())

  test('Q3 a recording is told by what it is, whatever it is called', async () => {
    const { body } = await mine.upload(recording, '?filename=picture.png', { 'Content-Type': 'image/png' })
    expect(body).toMatchObject({ mime: 'audio/wav', media: { kind: 'audio', format: 'wav', channels: 1 } })
    expect(body.media.duration_ms).toBeGreaterThan(1_000)
    const content = await mine.open('GET', body.urls.content)
    expect(content.headers.get('content-type')).toBe('audio/wav')
    expect(Buffer.from(await content.arrayBuffer()).equals(recording)).toBe(true)
    const wrong = await mine.post('/v1/jobs', { type: 'image.prepare', input: { file_id: body.id } })
    expect(wrong.body.errors).toMatchObject([{ pointer: '/input/file_id', code: 'unsupported_media' }])
  })

  test('Q4 a picture is as well', async () => {
    const blank = { create: { width: 40, height: 30, channels: 3, background: '#fff' } } as const
    const { body } = await mine.upload(await sharp(blank).png().toBuffer())
    expect(body).toMatchObject({
      mime: 'image/png',
      media: { kind: 'image', width: 40, height: 30, duration_ms: null },
    })
  })

  test('Q1 what is no media is refused and gone, in one request or in many; lines of a batch are not looked into', async () => {
    const before = await new FileStore(parley.store.redis).held('acme')
    const garbage = randomBytes(5_000)
    const refused = await mine.upload(garbage)
    expect(refused.status, refused.text).toBe(415)
    expect(refused.body.code).toBe('unsupported_media')
    const begun = await mine.ask('POST', '/v1/uploads', { headers: { ...V, 'Upload-Length': '5000' } })
    const path = begun.headers.get('location') ?? ''
    const headers = { ...V, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }
    const last = await mine.ask('PATCH', path, { headers, body: garbage })
    expect([last.status, last.body.code]).toEqual([415, 'unsupported_media'])
    expect((await mine.ask('HEAD', path, { headers: V })).status).toBe(404)
    const inline = { type: 'audio.prepare', input: { data: garbage.toString('base64') } }
    expect((await mine.post('/v1/jobs', inline)).status).toBe(415)
    expect(await new FileStore(parley.store.redis).held('acme')).toEqual(before)
    const lines = await mine.upload('{}\n', '?purpose=batch')
    expect(lines.body).toMatchObject({ purpose: 'batch', media: null })
  })

  test('Q1 a dry run says what a job would do and cost, and makes none', async () => {
    const file = (await mine.upload(wav(Buffer.concat([pcm(speech.order), silence(20_000)])))).body
    const ask = (body: object) => mine.post('/v1/jobs', { input: { file_id: file.id }, dry_run: true, ...body })
    const plan = await ask({ type: 'audio.transcribe' })
    expect(plan.status, plan.text).toBe(200)
    expect(plan.body).toMatchObject({
      object: 'job_plan',
      model: 'gpt-transcribe',
      input_file_id: file.id,
      pictures: null,
    })
    const { audio, estimate } = plan.body
    expect(audio.input_ms).toBeGreaterThan(20_000)
    expect(audio.kept_ms).toBeLessThan(audio.input_ms - 18_000)
    expect(audio.pieces_ms.length).toBe(1)
    expect(estimate.saved.nano).toBeGreaterThan(0)
    expect(estimate.with_parley.cost.nano).toBeLessThan(estimate.without_parley.cost.nano)
    const prepared = await ask({ type: 'audio.prepare' })
    expect(prepared.body).toMatchObject({ audio: { kept_ms: audio.kept_ms }, estimate: null })
    expect((await mine.get('/v1/jobs')).body.data).toEqual([])

    const picture = (await mine.upload(readFileSync(pages.page.file))).body
    const seen = await ask({ type: 'image.prepare', input: { file_id: picture.id } })
    expect(seen.body).toMatchObject({ audio: null, estimate: null, pictures: { count: 1, sent_as_text: false } })
    expect(seen.body.pictures.tokens).toBeLessThanOrEqual(seen.body.pictures.tokens_without_parley)
    const held = () => new FileStore(parley.store.redis).held('acme')
    const before = await held()
    const inline = await ask({ type: 'audio.transcribe', input: { data: recording.toString('base64') } })
    expect(inline.body).toMatchObject({ input_file_id: null, input_bytes: recording.length, model: 'gpt-transcribe' })
    expect(inline.body.audio.kept_ms).toBeGreaterThan(1_000)
    expect(inline.body.estimate.with_parley.cost.nano).toBeGreaterThan(0)
    const garbage = await ask({ type: 'audio.prepare', input: { data: randomBytes(2_000).toString('base64') } })
    expect([garbage.status, garbage.body.code]).toEqual([415, 'unsupported_media'])
    const unfit = await ask({ type: 'image.prepare', input: { data: recording.toString('base64') } })
    expect(unfit.body.errors).toMatchObject([{ pointer: '/input/data', code: 'unsupported_media' }])
    const served = await ask({ type: 'audio.transcribe', input: { url: `http://127.0.0.1:${port}/a.wav` } })
    expect(served.body).toEqual(inline.body)
    const absent = await ask({ type: 'audio.transcribe', input: { url: `http://127.0.0.1:${port}/none` } })
    expect(absent.body.code).toBe('fetch_failed')
    const inside = await ask({ type: 'audio.transcribe', input: { url: 'https://10.0.0.1/a.wav' } })
    expect(inside.text).toContain('url_not_allowed')
    expect(await held()).toEqual(before)
    expect((await mine.get('/v1/jobs')).body.data).toEqual([])
    const wrong = await ask({ type: 'image.prepare' })
    expect(wrong.body.errors).toMatchObject([{ code: 'unsupported_media' }])
  })
})
