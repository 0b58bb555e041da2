import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WINDOW } from '../../../src/batches/batch-steps.ts'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { FaultError } from '../../../src/faults.ts'
import { openStorage } from '../../../src/storage/open-storage.ts'
import type { JobNews } from '../../../src/store/jobs/back-office.ts'
import { instant } from '../../../src/units.ts'
import { startBatches } from '../../../workers/batches/start-batches.ts'
import { eventually } from '../../support/eventually.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { finished, forAll, mediaWorld } from '../../support/media-workers.ts'
import { demo, other, Parley, silent } from '../../support/parley.ts'

interface ResultLine {
  custom_id: string
  response: { status_code: number; body: { id: string; status: string; result: { value: unknown } } } | null
  error: { code: string } | null
}

const data = Buffer.from('RIFF').toString('base64')
const lineOf = (customId: string, body: object = {}) =>
  JSON.stringify({
    ...{ custom_id: customId, method: 'POST', url: '/v1/jobs' },
    body: { type: 'audio.transcribe', input: { data }, metadata: { line: customId }, ...body },
  })
const plans = { default: { jobs: { requestsPerMinute: null, running: 50 } } }

describe('batches', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let mine: MediaCaller
  let theirs: MediaCaller

  beforeAll(async () => {
    parley = stack.use(await Parley.start({ policy: { plans } }))
    mine = new MediaCaller(parley)
    theirs = new MediaCaller(parley, other.key)
  })
  afterAll(() => stack.disposeAsync())

  /** One more process's worth of batch work. */
  const runner = async (clock: Clock = systemClock) =>
    startBatches({
      ...{ clock, log: silent, store: parley.store, config: () => parley.config, tools: null },
      storage: await openStorage(parley.config, systemClock.now()),
    })
  /** Workers whose jobs say what their line was called; those called `bad` fail. */
  const workers = async (own: AsyncDisposableStack): Promise<JobNews[]> => {
    const world = await mediaWorld(parley.store.place, parley.config.dataDir, own, { plans })
    own.use(
      await world.workers(
        forAll({
          run: async (job) => {
            if (job.metadata.line?.startsWith('bad') === true) throw new FaultError('media_corrupt', 'It is broken.')
            return finished({ line: job.metadata.line })
          },
        }),
      ),
    )
    return world.news
  }
  let made = 0
  const begin = async (lines: string, changes: object = {}) => {
    const file = await mine.form({ file: new File([lines], 'in.jsonl'), purpose: 'batch' })
    const body = { input_file_id: file.body.id, endpoint: '/v1/jobs', completion_window: '24h', ...changes }
    const begun = await mine.post('/v1/batches', body, { 'Idempotency-Key': `batch-${made++}` })
    expect(begun.status, begun.text).toBe(200)
    return begun.body.id as string
  }
  const read = async (id: string) => (await mine.get(`/v1/batches/${id}`)).body
  const reaches = async (id: string, status: string) => {
    await eventually(async () => expect((await read(id)).status).toBe(status), 60_000)
    return read(id)
  }
  const linesOf = async (file: string | null): Promise<ResultLine[]> => {
    if (file === null) return []
    const { text } = await mine.get(`/v1/files/${file}/content`)
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ResultLine)
  }

  test('Q1 every line of a batch ends once, also when those who work on it come and go', {
    timeout: 90_000,
  }, async () => {
    await using own = new AsyncDisposableStack()
    const news = await workers(own)
    const names = Array.from({ length: WINDOW + 100 }, (_, i) => (i % 10 === 3 ? `bad-${i}` : `good-${i}`))
    const refused = lineOf('refused', { input: { file_id: 'file_01aaaaaaaaaaaaaaaaaaaaaaaa' } })
    const id = await begin(`${[...names.map((name) => lineOf(name)), refused].join('\n')}\n`, {
      metadata: { night: 'shift' },
    })
    expect(await read(id)).toMatchObject({ object: 'batch', status: 'validating', request_counts: { total: 0 } })
    const first = await runner()
    const second = own.use(await runner())
    await eventually(async () => expect((await read(id)).request_counts.completed).toBeGreaterThan(100), 60_000)
    await first[Symbol.asyncDispose]()
    const done = await reaches(id, 'completed')
    const bad = names.filter((name) => name.startsWith('bad')).length
    expect(done.request_counts).toEqual({ total: names.length + 1, completed: names.length - bad, failed: bad + 1 })
    expect(done).toMatchObject({ errors: null, completed_at: expect.any(Number), in_progress_at: expect.any(Number) })

    const output = await linesOf(done.output_file_id)
    const errors = await linesOf(done.error_file_id)
    expect([...output, ...errors].map((line) => line.custom_id).sort()).toEqual([...names, 'refused'].sort())
    for (const { custom_id, response, error } of output) {
      expect(error).toBe(null)
      expect(response).toMatchObject({ status_code: 200, body: { status: 'succeeded' } })
      expect(response?.body.result.value).toEqual({ line: custom_id })
    }
    for (const { custom_id, error } of errors) {
      expect(error?.code).toBe(custom_id === 'refused' ? 'not_found' : 'media_corrupt')
    }
    const jobs = await mine.get(`/v1/jobs?batch_id=${id}&limit=1`)
    expect(jobs.body.data[0]).toMatchObject({ batch_id: id, priority: 'low' })
    await second[Symbol.asyncDispose]()
    const told = () => news.filter(({ type }) => type.startsWith('batch.'))
    await eventually(() => expect(told()).toHaveLength(1), 30_000)
    expect(told()[0]).toMatchObject({ type: 'batch.completed', job: id, webhook: null, metadata: { night: 'shift' } })
  })

  test('Q1 a batch with a mistake in it begins nothing, and every mistake is told by its line', async () => {
    await using _ = await runner()
    const lines = [
      lineOf('a'),
      '',
      '{',
      lineOf('a'),
      lineOf('b', { options: { model: 'nobody' } }),
      lineOf('c', { x: 1 }),
    ]
    const failed = await reaches(await begin(lines.join('\n')), 'failed')
    expect(failed.errors.data.map(({ line, code, param }: never) => [line, code, param])).toEqual([
      [3, 'invalid_json', null],
      [4, 'duplicate', '/custom_id'],
      [5, 'model_not_found', '/body/options/model'],
      [6, 'unknown_field', '/body/x'],
    ])
    expect([failed.output_file_id, failed.request_counts.total]).toEqual([null, 0])
    const empty = await reaches(await begin('\n\n'), 'failed')
    expect(empty.errors.data).toMatchObject([{ code: 'empty', line: null }])
    // Told although none of the tenant's workers has had anything of it to do.
    await using own = new AsyncDisposableStack()
    const news = await workers(own)
    const told = () => news.filter(({ job }) => job === failed.id || job === empty.id)
    await eventually(() => expect(told()).toHaveLength(2), 30_000)
    for (const each of told()) expect(each).toMatchObject({ type: 'batch.failed', seq: 1, metadata: {} })
  })

  test('Q1 a cancelled batch keeps what is done, and says of the rest that it was cancelled', async () => {
    await using own = new AsyncDisposableStack()
    own.use(await runner())
    const id = await begin(Array.from({ length: WINDOW + 20 }, (_, i) => lineOf(`n-${i}`)).join('\n'))
    await eventually(async () => {
      expect((await mine.get(`/v1/jobs?batch_id=${id}&limit=200`)).body.has_more).toBe(true)
    }, 30_000)
    const asked = await mine.post(`/v1/batches/${id}/cancel`, {})
    expect([asked.status, asked.body.status]).toEqual([200, 'cancelling'])
    const over = await reaches(id, 'cancelled')
    expect((await mine.post(`/v1/batches/${id}/cancel`, {})).body.status).toBe('cancelled')
    const errors = await linesOf(over.error_file_id)
    expect(errors.length).toBe(WINDOW + 20)
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(['batch_cancelled']))
    expect(over.output_file_id).toBe(null)
  })

  test('Q1 when its window is over a batch has what came of it, and of the rest that it expired', async () => {
    const id = await begin([lineOf('one'), lineOf('two')].join('\n'), { completion_window: '1h' })
    const soon = await runner()
    await reaches(id, 'in_progress')
    await eventually(async () => expect((await mine.get(`/v1/jobs?batch_id=${id}`)).body.data.length).toBe(2), 10_000)
    await soon[Symbol.asyncDispose]()
    const late: Clock = { ...systemClock, now: () => instant(systemClock.now() + 3_600_001) }
    await using _ = await runner({ ...late, at: (when, ring) => systemClock.at(instant(when - 3_600_001), ring) })
    const over = await reaches(id, 'expired')
    expect((await linesOf(over.error_file_id)).map(({ custom_id, error }) => [custom_id, error?.code])).toEqual([
      ['one', 'batch_expired'],
      ['two', 'batch_expired'],
    ])
  })

  test('Q1 a hundred equal requests at once make one batch; a batch without a key is refused', async () => {
    const file = await mine.form({ file: new File([lineOf('a')], 'in.jsonl'), purpose: 'batch' })
    const body = { input_file_id: file.body.id, endpoint: '/v1/jobs', completion_window: '24h' }
    const key = { 'Idempotency-Key': 'once' }
    const all = await Promise.all(Array.from({ length: 100 }, () => mine.insist('/v1/batches', body, key)))
    expect(new Set(all.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1)
    const replays = all.filter(({ headers }) => headers.get('idempotent-replayed') === 'true').length
    if (all.every(({ tries }) => tries === 1)) expect(replays).toBe(99)
    const changed = await mine.post('/v1/batches', { ...body, metadata: { a: 'b' } }, key)
    expect([changed.status, changed.body.code]).toEqual([422, 'idempotency_mismatch'])
    expect((await mine.post('/v1/batches', body)).status).toBe(400)
    const media = (await mine.upload('RIFF')).body.id
    const wrong = [
      { ...body, input_file_id: media },
      { ...body, input_file_id: 'file_01aaaaaaaaaaaaaaaaaaaaaaaa' },
      { ...body, completion_window: '1 day' },
      { ...body, endpoint: '/v1/chat/completions' },
    ]
    for (const each of wrong) {
      expect((await mine.post('/v1/batches', each, { 'Idempotency-Key': `wrong-${made++}` })).status).toBe(422)
    }
    expect((await theirs.post('/v1/batches', body, key)).status).toBe(422)
  })

  test('Q7 what is not yours is not there', async () => {
    const id = await begin(lineOf('a'))
    for (const [method, tail] of [
      ['GET', ''],
      ['POST', '/cancel'],
    ] as const) {
      for (const each of [id, 'batch_01aaaaaaaaaaaaaaaaaaaaaaaa', 'x']) {
        expect((await theirs.ask(method, `/v1/batches/${each}${tail}`)).body.code).toBe('not_found')
      }
    }
    expect((await theirs.get('/v1/batches')).body.data).toEqual([])
    const page = await mine.get('/v1/batches?limit=1')
    expect(page.body).toMatchObject({ has_more: true, first_id: id })
    const next = await mine.get(`/v1/batches?limit=200&after=${id}`)
    expect(next.body.data.map(({ id }: never) => id)).not.toContain(id)
  })

  test('Q1 the client of OpenAI can be used on it', async () => {
    const client = new OpenAI({ apiKey: demo.key, baseURL: `${parley.url}/v1` })
    const file = await client.files.create({ file: new File([lineOf('a')], 'in.jsonl'), purpose: 'batch' })
    const request = { input_file_id: file.id, endpoint: '/v1/jobs' as never, completion_window: '24h' as const }
    const batch = await client.batches.create(request, { headers: { 'Idempotency-Key': 'sdk' } })
    expect((await client.batches.retrieve(batch.id)).id).toBe(batch.id)
    const { data } = await client.batches.list({ limit: 1 })
    expect(data[0]?.id).toBe(batch.id)
    expect((await client.batches.cancel(batch.id)).status).toBe('cancelling')
  })
})
