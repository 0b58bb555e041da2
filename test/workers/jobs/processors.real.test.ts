import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pages, pcm, silence, speech } from '../../../fixtures/index.ts'
import { keys } from '../../../src/store/keys.ts'
import { wav } from '../../../src/talk/wav.ts'
import { FFMPEGS } from '../../support/ffmpeg.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { Parley } from '../../support/parley.ts'
import { TempFolder } from '../../support/temp-folder.ts'
import { wholeWorkers } from '../../support/whole-workers.ts'

const models = {
  'gpt-realtime': { provider: 'play' },
  'whisper-1': { provider: 'play', kind: 'transcription' as const },
  'gpt-4o-transcribe': { provider: 'play', kind: 'transcription' as const },
  'gpt-4o': { provider: 'play', kind: 'vision' as const },
}
/** A sentence, a long pause, another, four times: some 26 s, of which a good part is silence. */
const talk = wav(
  Buffer.concat(Array.from({ length: 4 }, () => [pcm(speech.weather), silence(2_000), pcm(speech.order)]).flat()),
)

describe('jobs from the door to their results', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let caller: MediaCaller
  let films: string
  beforeAll(async () => {
    films = stack.use(new TempFolder()).path
    parley = stack.use(await Parley.start({ policy: { models }, ledger: true }))
    caller = new MediaCaller(parley)
    await wholeWorkers(parley, stack)
  }, 60_000)
  afterAll(() => stack.disposeAsync())

  const upload = async (bytes: Uint8Array): Promise<string> => (await caller.upload(bytes)).body.id
  /** Posts a job and waits for its end. */
  async function done(type: string, fileId: string, options: object = {}, more: object = {}) {
    const body = { type, input: { file_id: fileId }, options, ...more }
    let answer = await caller.post('/v1/jobs', body, { prefer: 'wait=20' })
    while (answer.body.ended_at === null) answer = await caller.get(`/v1/jobs/${answer.body.id}?wait_ms=20000`)
    return answer.body
  }
  const bills = () => parley.loopback.media.bills.length

  test('Q3 a recording is transcribed in pieces without its silence, on its own time line, and never bought twice', async () => {
    const before = bills()
    const options = { model: 'whisper-1', segment: { max_ms: 10_000 }, response_format: 'verbose_json' }
    const job = await done('audio.transcribe', await upload(talk), options)
    expect(job, JSON.stringify(job.error)).toMatchObject({ status: 'succeeded', attempt: 1 })
    const { duration, segments, text } = job.result.value
    expect(duration).toBeCloseTo(talk.length / 48_000, 1)
    expect(segments.length).toBeGreaterThanOrEqual(2)
    expect(segments.at(-1).end).toBeGreaterThan(20)
    expect(text.split(' ').length).toBeGreaterThan(10)
    const { saved, usage } = job
    expect(saved.input_ms - saved.billed_ms).toBeGreaterThan(5_000)
    expect(saved.cost_usd_nanos).toBeGreaterThan(0)
    expect(usage.calls).toBe(bills() - before)
    const again = await done('audio.transcribe', await upload(talk), options)
    expect(again).toMatchObject({ status: 'succeeded', result: job.result, usage: { cost_usd_nanos: 0 } })
    expect(bills() - before).toBe(usage.calls)
  }, 60_000)

  test('Q3 nothing is bought for a recording in which nobody speaks', async () => {
    const before = bills()
    const job = await done('audio.transcribe', await upload(wav(silence(8_000))), { model: 'gpt-4o-transcribe' })
    expect(job).toMatchObject({ status: 'succeeded', result: { value: { text: '' } }, usage: { calls: 0 } })
    expect(job.saved).toMatchObject({ input_ms: 8_000, billed_ms: 0 })
    expect(job.saved.cost_usd_nanos).toBeGreaterThan(0)
    expect(bills()).toBe(before)
  }, 60_000)

  test('Q3 an answer that breaks off is asked for again in halves', async () => {
    parley.loopback.media.next.push({ cut: 1 })
    const options = { model: 'whisper-1', response_format: 'verbose_json', trim_silence: { enabled: false } }
    const long = wav(Buffer.concat(Array.from({ length: 12 }, () => [pcm(speech.weather), pcm(speech.order)]).flat()))
    const before = bills()
    const job = await done('audio.transcribe', await upload(long), options)
    expect(job, JSON.stringify(job.error)).toMatchObject({ status: 'succeeded' })
    expect(bills() - before).toBe(3)
    const { value } = await resultOf(job)
    expect(value.segments.at(-1).end).toBeGreaterThan(60)
    expect(value.incomplete).toBeUndefined()
  }, 60_000)

  test('Q8 prepare jobs give files, with the way back to the recording', async () => {
    const job = await done('audio.prepare', await upload(talk), { segment: { max_ms: 10_000 } })
    const { pieces, duration_ms } = job.result.value
    expect(Math.abs(duration_ms - (talk.length - 44) / 48)).toBeLessThanOrEqual(1)
    expect(pieces.length).toBeGreaterThanOrEqual(2)
    const [last] = pieces.at(-1).map.slice(-1)
    expect(last[1] + last[2]).toBeLessThanOrEqual(duration_ms)
    const file = await caller.open('GET', `/v1/files/${pieces[0].file_id}/content`)
    expect(file.headers.get('content-type')).toBe('audio/flac')
    expect((await file.arrayBuffer()).byteLength).toBe(pieces[0].bytes)
  }, 60_000)

  test('Q4 a picture is described in fewer tokens than it came with, and prepared to be sent by others', async () => {
    const bytes = readFileSync(pages.receipt.file)
    const described = await done('image.describe', await upload(bytes), { model: 'gpt-4o' })
    expect(described, JSON.stringify(described.error)).toMatchObject({ status: 'succeeded', usage: { calls: 1 } })
    expect(described.result.value.text).toContain('picture of')
    expect(described.saved.tokens_sent).toBeLessThanOrEqual(described.saved.tokens_in)
    const prepared = await done('image.prepare', await upload(bytes), { model: 'gpt-4o' })
    const { pictures, tokens } = prepared.result.value
    expect(pictures.reduce((sum: number, each: { tokens: number }) => sum + each.tokens, 0)).toBe(tokens)
  }, 60_000)

  test('Q4 of a video there are its sound and the frames that differ', async () => {
    const film = join(films, 'film.mp4')
    const inputs = [
      '-f',
      'lavfi',
      '-i',
      'testsrc=size=320x180:rate=10:duration=3',
      '-f',
      'lavfi',
      '-i',
      'sine=duration=3',
    ]
    const made = spawnSync(FFMPEGS[0]?.file ?? '', ['-loglevel', 'error', ...inputs, '-shortest', film])
    expect(String(made.stderr)).toBe('')
    const bytes = readFileSync(film)
    const sound = await done('video.audio', await upload(bytes))
    expect(sound, JSON.stringify(sound.error)).toMatchObject({
      ...{ status: 'succeeded', result: { value: { mime: 'audio/flac' } } },
    })
    const frames = await done('video.frames', await upload(bytes), { max_frames: 5 })
    expect(frames, JSON.stringify(frames.error)).toMatchObject({ status: 'succeeded' })
    expect(frames.result.value.frames.length).toBeGreaterThanOrEqual(1)
    expect(frames.result.value.frames[0]).toMatchObject({ at_ms: expect.any(Number), file_id: expect.any(String) })
  }, 60_000)

  test('Q1 what is no media fails for good, by a name that says so', async () => {
    const job = await done('audio.transcribe', await upload(Buffer.from('no recording at all')), { model: 'whisper-1' })
    expect(job).toMatchObject({ status: 'failed', attempt: 1, error: { code: 'unsupported_media', retryable: false } })
  }, 60_000)

  test('Q1 a job with everything it has made is erased at once', async () => {
    const job = await done('audio.prepare', await upload(talk), {}, { retention: { input_ms: 60_000 } })
    expect((await caller.ask('DELETE', `/v1/jobs/${job.id}`)).status).toBe(204)
    const file = job.result.value.pieces[0].file_id
    expect((await caller.get(`/v1/files/${file}`)).status).toBe(404)
    const { redis } = parley.store
    expect(await redis.exists(`${keys.tenant('acme')}:job:${job.id}`)).toBe(0)
  }, 60_000)

  async function resultOf(job: { result: { type: string; file_id?: string } }) {
    if (job.result.type === 'inline') return job.result as never
    return { value: JSON.parse((await caller.get(`/v1/files/${job.result.file_id}/content`)).text) }
  }
})
