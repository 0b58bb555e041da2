import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pages, speech } from '../../fixtures/index.ts'
import { EXAMPLE_FILE } from '../../src/http/media/examples.ts'
import { findFfmpeg } from '../../workers/tools/find-ffmpeg.ts'
import { checkAnswer, type Operation, operations } from '../support/api-document.ts'
import { type Answer, MediaCaller } from '../support/media-caller.ts'
import { other, Parley, silent, TempFolder } from '../support/parley.ts'

const batchDoor = operations.filter(({ path }) => /^\/v1\/(files|uploads|jobs|batches|webhook_)/.test(path))
const withExamples = operations.flatMap((operation) =>
  operation.examples.map((example) => ({ operation, example, title: `${operation.path}-${example.name}` })),
)
const media = {
  audio: readFileSync(speech.order.file),
  image: readFileSync(pages.receipt.file),
  video: Buffer.alloc(0),
}
const V = { 'Tus-Resumable': '1.0.0' }

describe('the document against the server', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let mine: MediaCaller
  let theirs: MediaCaller
  /** What of the first tenant there is, by kind. */
  let ids: {
    file: string
    batchFile: string
    upload: string
    job: string
    batch: string
    hook: string
    message: string
  }

  beforeAll(async () => {
    const plans = { default: { jobs: { requestsPerMinute: null } } }
    const models = {
      ...{
        'gpt-realtime': { provider: 'play' },
        'gpt-transcribe': { provider: 'play', kind: 'transcription' as const },
      },
      'gpt-vision': { provider: 'play', kind: 'vision' as const },
    }
    parley = stack.use(await Parley.start({ policy: { plans, models }, ledger: true, tools: true }))
    const film = join(stack.use(new TempFolder()).path, 'film.mp4')
    const { file: ffmpeg } = await findFfmpeg(undefined, process.env.PATH, silent)
    const inputs = ['-f', 'lavfi', '-i', 'testsrc=d=1:s=160x120', '-f', 'lavfi', '-i', 'sine=d=1', '-shortest']
    execFileSync(ffmpeg, ['-nostdin', '-loglevel', 'error', ...inputs, film])
    media.video = readFileSync(film)
    mine = new MediaCaller(parley)
    theirs = new MediaCaller(parley, other.key)
    const made = (answer: Answer): string => {
      if (answer.body?.id === undefined) throw new Error(answer.text)
      return answer.body.id as string
    }
    const file = made(await mine.upload(media.audio))
    const line = {
      custom_id: 'a',
      method: 'POST',
      url: '/v1/jobs',
      body: { type: 'audio.prepare', input: { url: 'https://example.com/a.mp3' } },
    }
    const batchFile = made(await mine.upload(JSON.stringify(line), '?purpose=batch'))
    const begun = await mine.ask('POST', '/v1/uploads', { headers: { ...V, 'Upload-Length': '10' } })
    const batch = { input_file_id: batchFile, endpoint: '/v1/jobs', completion_window: '24h' }
    const hook = made(await mine.post('/v1/webhook_endpoints', { url: 'https://example.com/x' }))
    await mine.post(`/v1/webhook_endpoints/${hook}/test`, {})
    ids = {
      ...{ hook, message: (await mine.get('/v1/webhook_messages?limit=1')).body.data[0].id },
      ...{ file, batchFile, upload: begun.headers.get('location')?.split('/').at(-1) ?? '' },
      job: made(await mine.post('/v1/jobs', { type: 'audio.transcribe', input: { file_id: file } })),
      batch: made(await mine.post('/v1/batches', batch, { 'Idempotency-Key': 'document' })),
    }
  })
  afterAll(() => stack.disposeAsync())

  const idFor = (path: string) => {
    if (path.startsWith('/v1/files')) return ids.file
    if (path.startsWith('/v1/uploads')) return ids.upload
    if (path.startsWith('/v1/jobs')) return ids.job
    if (path.startsWith('/v1/webhook_messages')) return ids.message
    return path.startsWith('/v1/batches') ? ids.batch : ids.hook
  }
  /** Asks what an operation is for; what it needs beside an id is as the protocol has it. */
  const ask = async (caller: MediaCaller, { method, path, examples }: Operation, id: string): Promise<Answer> => {
    const tus = path.startsWith('/v1/uploads') ? { ...V, 'Upload-Offset': '0', 'Upload-Length': '5' } : {}
    const type = path.startsWith('/v1/uploads/') ? 'application/offset+octet-stream' : 'application/json'
    const hasBody = method === 'POST' || method === 'PATCH' || method === 'PUT'
    const body = path.startsWith('/v1/uploads/') ? 'x' : JSON.stringify(examples[0]?.value ?? {})
    for (let tries = 1; ; tries++) {
      const answer = await caller.ask(method, path.replace(/\{\w+\}/g, id), {
        headers: { ...tus, ...(hasBody ? { 'Content-Type': type, 'Idempotency-Key': `${path}${id}` } : {}) },
        ...(hasBody ? { body } : {}),
      })
      // A machine under load may keep Redis waiting for longer than a door waits for it.
      if (answer.status !== 503 || tries === 5) return answer
    }
  }

  test.each(withExamples)(
    'V3 the example $title is taken, and answered as the document says',
    async ({ operation, example }) => {
      const kind = (example.value as { type?: string }).type?.split('.')[0] as keyof typeof media | undefined
      const bytes = kind === undefined ? ids.batchFile : ((await mine.upload(media[kind])).body.id as string)
      const body = JSON.stringify(example.value).replaceAll(EXAMPLE_FILE, bytes)
      const answer = await mine.ask(operation.method, operation.path.replace('{id}', ids.hook), {
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `${operation.path}-${example.name}` },
        body,
      })
      expect(answer.status, answer.text).toBeLessThan(300)
      checkAnswer(operation, answer.status, answer.body)
    },
  )

  test('V3 what can be read is answered as the document says', async () => {
    const reading = batchDoor.filter(({ method, path }) => method === 'GET' && !/events|content|result/.test(path))
    expect(reading.length).toBeGreaterThan(7)
    for (const operation of reading) {
      const answer = await ask(mine, operation, idFor(operation.path))
      expect(answer.status, operation.path).toBe(200)
      checkAnswer(operation, answer.status, answer.body)
    }
  })

  test('Q7 nobody gets in without a key, and no key without its scope', async () => {
    const nobody = new MediaCaller(parley, 'sk_test_nobody')
    for (const operation of operations.filter(
      ({ method, path }) => method !== 'OPTIONS' && !/^\/(healthz|readyz|metrics)$/.test(path),
    )) {
      const { status } = await ask(nobody, operation, 'x')
      // Older routes look at the body first, and say what is wrong with it; some are there only where there are providers.
      expect(
        batchDoor.includes(operation) ? [401] : [400, 401, 404],
        `${operation.method} ${operation.path}`,
      ).toContain(status)
    }
  })

  test('Q7 no route shows or changes anything of another tenant, whatever id it is given', {
    timeout: 60_000,
  }, async () => {
    const known = Object.values(ids)
    for (const operation of operations) {
      const title = `${operation.method} ${operation.path}`
      if (!operation.path.includes('{')) {
        // Lists, and what is made: nothing of it may name what is another's.
        const answer = await ask(theirs, operation, '')
        for (const id of known) expect(answer.text, title).not.toContain(id)
        continue
      }
      const never = await ask(theirs, operation, 'x')
      expect([403, 404], title).toContain(never.status)
      for (const id of [...known, ...known.map((id) => id.replace(/.$/, '0'))]) {
        const answer = await ask(theirs, operation, id)
        const told = ({ status, text }: Answer) => {
          const { instance: _, request_id: __, ...rest } = JSON.parse(text === '' ? '{}' : text)
          return JSON.stringify([status, rest])
        }
        expect(told(answer), `${title} ${id}`).toBe(told(never))
      }
    }
    // All of it is still there for its owner.
    for (const [path, id] of [
      ['files', ids.file],
      ['files', ids.batchFile],
      ['jobs', ids.job],
      ['batches', ids.batch],
      ['webhook_endpoints', ids.hook],
    ]) {
      expect((await mine.get(`/v1/${path}/${id}`)).status, path).toBe(200)
    }
    expect((await mine.get('/v1/webhook_messages')).body.data).toMatchObject([{ id: ids.message, status: 'pending' }])
    expect((await mine.get(`/v1/jobs/${ids.job}`)).body).toMatchObject({ status: 'queued', cancel_requested: false })
    expect((await mine.ask('HEAD', `/v1/uploads/${ids.upload}`, { headers: V })).headers.get('upload-offset')).toBe('0')
  })
})
