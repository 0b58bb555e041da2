import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FileStore } from '../../../src/store/files.ts'
import { JobHand, sentEvents } from '../../support/job-hand.ts'
import { type Answer, MediaCaller } from '../../support/media-caller.ts'
import { other, Parley } from '../../support/parley.ts'

const data = Buffer.from('RIFF').toString('base64')
const transcribe = { type: 'audio.transcribe', input: { data } }

describe('jobs over HTTP', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let mine: MediaCaller
  let theirs: MediaCaller
  let hand: JobHand
  let files: FileStore

  beforeAll(async () => {
    parley = stack.use(
      await Parley.start({ policy: { plans: { default: { jobs: { running: 100, requestsPerMinute: null } } } } }),
    )
    mine = new MediaCaller(parley)
    theirs = new MediaCaller(parley, other.key)
    hand = new JobHand(parley.store)
    files = new FileStore(parley.store.redis)
  })
  afterAll(() => stack.disposeAsync())

  const make = async (changes: object = {}, headers: Record<string, string> = {}) => {
    const made = await mine.post('/v1/jobs', { ...transcribe, ...changes }, headers)
    expect(made.status, made.text).toBe(202)
    return made.body.id as string
  }
  /** How many of them made something; one whose first answer was lost may find its own work done. */
  const made = (all: (Answer & { tries: number })[]) => {
    const replays = all.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')
    return all.every(({ tries }) => tries === 1) ? all.length - replays.length : 1
  }
  const pointers = ({ body }: Answer) => body.errors.map(({ pointer, code }: never) => `${pointer} ${code}`)

  test('Q1 a job is made, waits, runs, ends and is erased with everything it had', async () => {
    const file = (await mine.upload('RIFF', '?filename=a.wav')).body.id
    const made = await mine.post('/v1/jobs', {
      type: 'audio.transcribe',
      input: { file_id: file },
      metadata: { case: 'A' },
    })
    const { id } = made.body
    expect(made.headers.get('location')).toBe(`/v1/jobs/${id}`)
    expect(made.body).toMatchObject({
      ...{ object: 'job', status: 'queued', position: 1, attempt: 0, max_attempts: 3, cancel_requested: false },
      ...{ progress: { stage: 'queued', percent: 0 }, result: null, metadata: { case: 'A' }, input: { file_id: file } },
      options: { model: 'gpt-transcribe', trim_silence: { enabled: true } },
      urls: { events: `/v1/jobs/${id}/events` },
    })
    expect((await mine.get(`/v1/jobs/${id}/result`)).body).toMatchObject({ code: 'wrong_state', retryable: true })
    expect((await mine.ask('DELETE', `/v1/files/${file}`)).body.code).toBe('in_use')
    const hold = await hand.start(id)
    expect((await mine.get(`/v1/jobs/${id}`)).body).toMatchObject({ status: 'processing', attempt: 1, position: null })
    await hand.end(hold)
    expect((await mine.get(`/v1/jobs/${id}`)).body).toMatchObject({
      ...{ status: 'succeeded', progress: { percent: 100 }, result: { type: 'inline', value: { text: 'hello' } } },
    })
    expect((await mine.get(`/v1/jobs/${id}/result`)).body).toEqual({ text: 'hello' })
    expect((await mine.post(`/v1/jobs/${id}/retry`, {})).body.code).toBe('wrong_state')
    expect((await mine.ask('DELETE', `/v1/jobs/${id}`)).status).toBe(204)
    expect((await mine.get(`/v1/jobs/${id}`)).status).toBe(404)
    expect((await mine.get(`/v1/files/${file}`)).status).toBe(404)
    expect((await files.held('acme')).files).toBe(0)
  })

  test('Q1 a hundred equal requests at once make one job and ninety-nine replays, whatever their input came by', async () => {
    const file = (await mine.upload('RIFF')).body.id
    for (const input of [{ file_id: file }, { data }]) {
      const key = { 'Idempotency-Key': JSON.stringify(Object.keys(input)[0]) }
      const before = (await files.held('acme')).files
      const all = await Promise.all(
        Array.from({ length: 100 }, () => mine.insist('/v1/jobs', { ...transcribe, input }, key)),
      )
      expect(new Set(all.map(({ status }) => status))).toEqual(new Set([202]))
      expect(new Set(all.map(({ body }) => body.id)).size).toBe(1)
      expect(made(all)).toBe(1)
      expect((await files.held('acme')).files - before).toBe('data' in input ? 1 : 0)
      const turned = { input, type: transcribe.type }
      const unquoted = await mine.post('/v1/jobs', turned, { 'Idempotency-Key': Object.keys(input)[0] ?? '' })
      expect(unquoted.body.id).toBe(all[0]?.body.id)
      const changed = await mine.post('/v1/jobs', { ...transcribe, input, priority: 'low' }, key)
      expect([changed.status, changed.body.code]).toEqual([422, 'idempotency_mismatch'])
      // The answer is the same long after the job has ended and its input is gone.
      await hand.end(await hand.start(all[0]?.body.id))
      await mine.ask('DELETE', `/v1/files/${file}`)
      const late = await mine.post('/v1/jobs', { ...transcribe, input }, key)
      expect([late.body.id, late.headers.get('idempotent-replayed')]).toEqual([all[0]?.body.id, 'true'])
    }
    expect((await theirs.post('/v1/jobs', transcribe, { 'Idempotency-Key': '"data"' })).status).toBe(202)
  })

  test('Q1 everything wrong with a request is told at once, each by its place', async () => {
    const strange = {
      type: 'audio.transcribe',
      input: { data, url: 'x' },
      colour: 1,
      options: { temperature: 3, x: 1 },
    }
    expect(pointers(await mine.post('/v1/jobs', strange))).toEqual(
      expect.arrayContaining([
        '/input custom',
        '/options/temperature too_big',
        '/options/x unknown_field',
        '/colour unknown_field',
      ]),
    )
    for (const [body, expected] of [
      [{ ...transcribe, type: 'audio.sing' }, '/type invalid_union'],
      [{ ...transcribe, options: { model: 'gpt-realtime' } }, '/options/model model_not_found'],
      [{ ...transcribe, options: { model: 'nobody' } }, '/options/model model_not_found'],
      [{ type: 'image.describe', input: { data } }, '/options/model model_not_found'],
      [{ ...transcribe, input: { file_id: 'file_01aaaaaaaaaaaaaaaaaaaaaaaa' } }, '/input/file_id not_found'],
      [{ ...transcribe, input: { url: 'https://localhost/x' } }, '/input/url url_not_allowed'],
      [{ ...transcribe, webhook: { url: 'http://10.0.0.1/' } }, '/webhook/url url_not_allowed'],
      [{ ...transcribe, run_at: '2099-01-01T00:00:00Z' }, '/run_at too_late'],
    ] as const) {
      const refused = await mine.post('/v1/jobs', body)
      expect(refused.status, refused.text).toBe(422)
      expect(pointers(refused)).toEqual([expected])
    }
    const broken = await mine.ask('POST', '/v1/jobs', { body: '{', headers: { 'Content-Type': 'application/json' } })
    expect([broken.status, broken.body.code]).toEqual([400, 'invalid_request'])
    const large = await mine.post('/v1/jobs', { ...transcribe, user: 'x'.repeat(400_000) })
    expect([large.status, large.body.code]).toEqual([413, 'payload_too_large'])
    expect((await mine.post('/v1/jobs', transcribe, { 'Cancel-After': 'soon' })).status).toBe(400)
  })

  test('Q1 whoever prefers to wait gets the end, or where it stands when the wait is over', async () => {
    const done = mine.post('/v1/jobs', transcribe, { Prefer: 'respond-async, wait=30', 'Idempotency-Key': 'waited' })
    const id = await madeUnder('waited')
    const read = mine.get(`/v1/jobs/${id}?wait_ms=30000`)
    await hand.end(await hand.start(id))
    expect([(await done).status, (await done).body.status]).toEqual([200, 'succeeded'])
    expect((await done).headers.get('preference-applied')).toBe('wait=30')
    expect((await read).body.status).toBe('succeeded')
    const unfinished = await mine.post('/v1/jobs', transcribe, { Prefer: 'wait=1' })
    expect([unfinished.status, unfinished.body.status]).toEqual([202, 'queued'])
    expect((await mine.get(`/v1/jobs/${unfinished.body.id}?wait_ms=50`)).body.status).toBe('queued')
    expect((await mine.get(`/v1/jobs/${unfinished.body.id}?wait_ms=30001`)).status).toBe(422)
  })

  /** The id of the job that another request under this key has just made. */
  async function madeUnder(key: string): Promise<string> {
    for (;;) {
      const { body } = await mine.post('/v1/jobs', transcribe, { 'Idempotency-Key': key })
      if (body.id !== undefined) return body.id as string
    }
  }

  test('Q1 Cancel-After, cancel, retry and delete keep to the states of a job', async () => {
    const late = await mine.post('/v1/jobs', transcribe, { 'Cancel-After': '90s' })
    expect(Date.parse(late.body.deadline) - Date.parse(late.body.created_at)).toBe(90_000)
    const cancelled = await mine.post(`/v1/jobs/${late.body.id}/cancel`, {})
    expect([cancelled.status, cancelled.body.status]).toEqual([200, 'canceled'])
    expect((await mine.post(`/v1/jobs/${late.body.id}/cancel`, {})).status).toBe(200)

    const id = await make()
    const hold = await hand.start(id)
    const asked = await mine.post(`/v1/jobs/${id}/cancel`, {})
    expect([asked.status, asked.body.status, asked.body.cancel_requested]).toEqual([202, 'processing', true])
    const erased = mine.ask('DELETE', `/v1/jobs/${id}`)
    await hand.end(hold, { status: 'canceled' })
    expect((await erased).status).toBe(204)

    const failing = await make()
    await hand.end(await hand.start(failing), {
      ...{ status: 'failed', error: { code: 'upstream_unavailable', message: 'It is away.', retryable: true } },
    })
    expect((await mine.get(`/v1/jobs/${failing}/result`)).body).toMatchObject({ code: 'wrong_state', retryable: false })
    const again = await mine.post(`/v1/jobs/${failing}/retry`, {})
    expect([again.status, again.body.id, again.body.status]).toEqual([202, failing, 'queued'])
  })

  test('Q1 a result that is a file is where the answer points, until it is not kept any more', async () => {
    const id = await make()
    const output = (await mine.upload('subtitles')).body.id
    await hand.end(await hand.start(id), {
      ...{ status: 'succeeded', result: { kind: 'file', fileId: output, mime: 'text/vtt' } },
    })
    const found = await mine.get(`/v1/jobs/${id}/result`)
    expect([found.status, found.headers.get('location')]).toEqual([303, `/v1/files/${output}/content`])
    await mine.ask('DELETE', `/v1/files/${output}`)
    expect((await mine.get(`/v1/jobs/${id}/result`)).status).toBe(404)
  })

  test('Q1 lists are paged by id, newest first, and filtered', async () => {
    const made: string[] = []
    for (let i = 0; i < 5; i++) made.unshift(await make({ metadata: { list: 'x', odd: String(i % 2) } }))
    const mineOnly = 'metadata%5Blist%5D=x'
    const first = await mine.get(`/v1/jobs?limit=2&${mineOnly}`)
    expect(first.body).toMatchObject({ object: 'list', has_more: true, first_id: made[0], last_id: made[1] })
    const seen = first.body.data.map(({ id }: never) => id)
    for (let last = first; last.body.has_more; ) {
      last = await mine.get(`/v1/jobs?limit=2&${mineOnly}&after=${last.body.last_id}`)
      seen.push(...last.body.data.map(({ id }: never) => id))
    }
    expect(seen).toEqual(made)
    const ids = async (query: string) => (await mine.get(`/v1/jobs?${query}`)).body.data.map(({ id }: never) => id)
    expect(await ids(`${mineOnly}&before=${made[4]}&limit=2`)).toEqual([made[2], made[3]])
    expect(await ids(`${mineOnly}&metadata%5Bodd%5D=1`)).toEqual([made[1], made[3]])
    expect(await ids(`${mineOnly}&status=succeeded`)).toEqual([])
    expect(await ids(`${mineOnly}&type=image.describe`)).toEqual([])
    expect(await ids(`${mineOnly}&created_before=2020-01-01T00:00:00Z`)).toEqual([])
    expect((await theirs.get(`/v1/jobs?${mineOnly}`)).body.data).toEqual([])
    const wrong = await mine.get('/v1/jobs?colour=red&limit=1000')
    expect(pointers(wrong)).toEqual(['limit too_big', 'colour unknown_field'])
  })

  test('Q1 a job is followed from any event on, and each of them comes once', async () => {
    const id = await make()
    const live = mine.open('GET', `/v1/jobs/${id}/events`)
    const following = live.then((response) => sentEvents(response))
    const headers = (await live).headers
    expect([headers.get('content-type'), headers.get('cache-control')]).toEqual(['text/event-stream', 'no-store'])
    const hold = await hand.start(id)
    for (let i = 1; i <= 20; i++) await hand.jobs.segment(hold, { index: i })
    await hand.end(hold)
    const all = await following
    expect(all.map((event) => event.id)).toEqual(Array.from({ length: 23 }, (_, i) => i + 1))
    expect(all[0]).toMatchObject({
      event: 'job.status',
      data: { job_id: id, status: 'queued', at: expect.any(String) },
    })
    expect(all[2]).toMatchObject({ event: 'job.segment', data: { index: 1 } })
    expect(all.at(-1)).toMatchObject({ event: 'job.ended', data: { status: 'succeeded' } })

    for (let after = 0; after < all.length; after++) {
      const headers = { 'Last-Event-ID': String(after) }
      const rest = await sentEvents(await mine.open('GET', `/v1/jobs/${id}/events`, { headers }))
      expect(rest, `after ${after}`).toEqual(all.slice(after))
    }
    const over = await mine.get(`/v1/jobs/${id}/events`, { 'Last-Event-ID': String(all.length) })
    expect([over.status, over.text]).toEqual([204, ''])
    expect((await mine.get(`/v1/jobs/${id}/events`, { 'Last-Event-ID': 'x' })).status).toBe(400)
    expect((await theirs.get(`/v1/jobs/${id}/events`)).status).toBe(404)
  })

  test('Q7 a key follows twenty jobs at once, and one more when one of them is left', async () => {
    const id = await make()
    const open = Array.from({ length: 20 }, () => new AbortController())
    const streams = await Promise.all(open.map(({ signal }) => mine.open('GET', `/v1/jobs/${id}/events`, { signal })))
    expect(streams.map(({ status }) => status)).toEqual(Array(20).fill(200))
    const refused = await mine.get(`/v1/jobs/${id}/events`)
    expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited'])
    open[0]?.abort()
    const one = new AbortController()
    for (;;) {
      const again = await mine.open('GET', `/v1/jobs/${id}/events`, { signal: one.signal })
      if (again.status === 200) break
      await again.text()
    }
    for (const stream of [...open, one]) stream.abort()
  })

  test('Q7 what is not yours is not there: the same answer as for what never was', async () => {
    const id = await make()
    const never = 'job_01aaaaaaaaaaaaaaaaaaaaaaaa'
    for (const [method, tail] of [
      ['GET', ''],
      ['GET', '/events'],
      ['GET', '/result'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
      ['DELETE', ''],
    ] as const) {
      const answers = await Promise.all([id, never, 'x'].map((each) => theirs.ask(method, `/v1/jobs/${each}${tail}`)))
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404])
      const bodies = answers.map(({ body }) => JSON.stringify({ ...body, instance: '', request_id: '' }))
      expect(new Set(bodies).size).toBe(1)
    }
    expect((await mine.get(`/v1/jobs/${id}`)).body.status).toBe('queued')
  })
})
