import { createReadStream, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI, { APIError, toFile } from 'openai'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { keys } from '../../src/store/keys.ts'
import { wav } from '../../src/talk/wav.ts'
import { demo, Parley, TempFolder } from '../support/parley.ts'

const transcription = { provider: 'play', kind: 'transcription' } as const
const vision = { provider: 'play', kind: 'vision' } as const
const models = {
  ...{ 'whisper-1': transcription, 'gpt-4o-transcribe': transcription, 'gpt-4o-transcribe-diarize': transcription },
  ...{ 'gpt-4o': vision, 'gpt-6.1-sol': vision, 'gpt-realtime': { provider: 'play' } },
}

const stack = new AsyncDisposableStack()
let parley: Parley
let client: OpenAI
let recording: string
/** Speech, five seconds of nothing, speech. */
const SECONDS = (pcm(speech.order).length + pcm(speech.weather).length) / 48_000 + 5
beforeAll(async () => {
  parley = stack.use(await Parley.start({ policy: { models }, tools: true, ledger: true }))
  client = new OpenAI({ apiKey: demo.key, baseURL: `${parley.url}/v1`, maxRetries: 0 })
  const folder = stack.use(new TempFolder())
  recording = join(folder.path, 'talk.wav')
  writeFileSync(recording, wav(Buffer.concat([pcm(speech.order), silence(5_000), pcm(speech.weather)])))
})
afterAll(() => stack.disposeAsync())
beforeEach(() => {
  parley.loopback.media.bills.length = 0
  parley.loopback.media.next.length = 0
})

/** Only what is in the journal has not come into the ledger yet; both together are all there is. */
async function usage(): Promise<{
  cost: { nano: number }
  requests: number
  savings: { kind: string; saved: { nano: number } }[]
}> {
  const { redis } = parley.store
  // A call gives back its lease once it is booked.
  while ((await redis.zcard(`${keys.limits}:leases`)) > 0) await new Promise(setImmediate)
  while ((await redis.xlen(keys.journal(keys.limits))) > 0) await new Promise(setImmediate)
  const answer = await fetch(`${parley.url}/v1/usage`, { headers: { authorization: `Bearer ${demo.key}` } })
  const { data } = (await answer.json()) as { data: Awaited<ReturnType<typeof usage>>[] }
  return data[0] ?? { cost: { nano: 0 }, requests: 0, savings: [] }
}

const failure = (promise: Promise<unknown>): Promise<APIError> =>
  promise.then(
    () => {
      throw new Error('it was to fail')
    },
    (error: unknown) => {
      if (error instanceof APIError) return error
      throw error
    },
  )

describe("transcriptions with OpenAI's own client", () => {
  test('Q2 json: silence is not sent, and what was saved is in the usage', async () => {
    const answer = await client.audio.transcriptions.create({ file: createReadStream(recording), model: 'whisper-1' })
    expect(answer.text.length).toBeGreaterThan(10)
    expect(answer.usage).toMatchObject({ type: 'duration' })
    const billed = parley.loopback.media.bills.map((bill) => Number(bill.usage.seconds))
    const sent = billed.reduce((sum, seconds) => sum + seconds, 0)
    expect(sent).toBeLessThan(SECONDS - 4)
    const { savings, cost } = await usage()
    const removed = savings.find(({ kind }) => kind === 'silence_removed')
    expect(removed?.saved.nano).toBeGreaterThan(400_000)
    expect(cost.nano).toBe(Math.ceil(sent) * 100_000)
  })

  test('Q2 Q3 verbose_json: words and segments on the line of the recording', async () => {
    const answer = await client.audio.transcriptions.create({
      ...{ file: createReadStream(recording), model: 'whisper-1', response_format: 'verbose_json' },
      timestamp_granularities: ['word', 'segment'],
    })
    expect(answer.duration).toBeCloseTo(SECONDS, 1)
    const words = answer.words ?? []
    expect(words.map(({ word }) => word).join(' ')).toBe(answer.text)
    expect(words.at(-1)?.end).toBeGreaterThan(SECONDS - 2)
    expect(answer.segments?.[0]?.id).toBe(0)
    // Nobody speaks in the pause.
    const middle = pcm(speech.order).length / 48_000 + 2.5
    expect(words.filter(({ start, end }) => start < middle && middle < end)).toEqual([])
  })

  test.each(['text', 'srt', 'vtt'] as const)('Q2 %s', async (response_format) => {
    const file = createReadStream(recording)
    const answer = await client.audio.transcriptions.create({ file, model: 'whisper-1', response_format })
    const text = String(answer)
    if (response_format === 'srt') expect(text).toMatch(/^1\n00:00:0\d,\d{3} --> 00:00:\d\d,\d{3}\n/)
    if (response_format === 'vtt') expect(text).toMatch(/^WEBVTT\n\n00:00:0\d\.\d{3} --> /)
    expect(text.trim().length).toBeGreaterThan(10)
  })

  test('Q2 log probabilities, and usage in tokens', async () => {
    const file = createReadStream(recording)
    const answer = await client.audio.transcriptions.create({ file, model: 'gpt-4o-transcribe', include: ['logprobs'] })
    expect(answer.logprobs?.map(({ token }) => token).join('')).toBe(answer.text)
    expect(answer.usage).toMatchObject({ type: 'tokens', total_tokens: expect.any(Number) })
  })

  test('Q2 speakers', async () => {
    const answer = await client.audio.transcriptions.create({
      ...{ file: createReadStream(recording), model: 'gpt-4o-transcribe-diarize' },
      ...{ response_format: 'diarized_json', chunking_strategy: 'auto' },
    })
    expect(answer).toMatchObject({ task: 'transcribe', duration: expect.any(Number) })
    const { segments } = answer as unknown as OpenAI.Audio.TranscriptionDiarized
    expect(segments[0]).toMatchObject({ speaker: 'A', id: 'seg_0', type: 'transcript.text.segment' })
  })

  test('Q2 a stream, in the events of the service', async () => {
    const file = createReadStream(recording)
    const params = { file, model: 'gpt-4o-transcribe', stream: true, prompt: 'streamed' } as const
    const events = await client.audio.transcriptions.create(params)
    let heard = ''
    let done: string | null = null
    for await (const event of events) {
      if (event.type === 'transcript.text.delta') heard += event.delta
      if (event.type === 'transcript.text.done') done = event.text
    }
    expect(heard).toBe(done)
    expect(heard.length).toBeGreaterThan(10)
  })

  test('Q2 a stream whose provider breaks off ends with an error that the client understands', async () => {
    parley.loopback.media.next.push({ drop: 3 })
    const file = createReadStream(recording)
    const params = { file, model: 'gpt-4o-transcribe', stream: true, prompt: 'broken' } as const
    const events = await client.audio.transcriptions.create(params)
    const read = (async () => {
      for await (const _ of events);
    })()
    await expect(read).rejects.toThrow(/broke off/)
  })

  test('M4 a recording in which nobody speaks costs nothing', async () => {
    const file = await toFile(wav(silence(3_000)), 'silence.wav')
    const answer = await client.audio.transcriptions.create({ file, model: 'whisper-1' })
    expect(answer.text).toBe('')
    expect(parley.loopback.media.bills).toEqual([])
  })

  test('Q6 the same recording is bought once', async () => {
    const ask = () =>
      client.audio.transcriptions.create({ file: createReadStream(recording), model: 'whisper-1', prompt: 'twice' })
    const first = await ask()
    const { length } = parley.loopback.media.bills
    expect(await ask()).toEqual(first)
    expect(parley.loopback.media.bills).toHaveLength(length)
  })

  test('W4 errors are in the shape of the service', async () => {
    const file = () => createReadStream(recording)
    const unknown = await failure(client.audio.transcriptions.create({ file: file(), model: 'gpt-none' }))
    expect(unknown).toMatchObject({
      status: 404,
      code: 'model_not_found',
      type: 'invalid_request_error',
      param: 'model',
    })
    const broken = await toFile(Buffer.from('no sound at all'), 'broken.wav')
    expect((await failure(client.audio.transcriptions.create({ file: broken, model: 'whisper-1' }))).status).toBe(415)
    const stranger = new OpenAI({ apiKey: 'pk_live_none', baseURL: `${parley.url}/v1`, maxRetries: 0 })
    const refused = await failure(stranger.audio.transcriptions.create({ file: file(), model: 'whisper-1' }))
    expect(refused).toMatchObject({ status: 401, code: 'invalid_api_key' })
  })

  test('nothing of a request stays on the disk', async () => {
    const file = createReadStream(recording)
    await client.audio.transcriptions.create({ file, model: 'whisper-1', prompt: 'tidy' })
    const [own] = readdirSync(parley.config.dataDir).filter((name) => name.startsWith('drop-ins-'))
    expect(readdirSync(join(parley.config.dataDir, own ?? ''))).toEqual([])
  })
})

describe("chat completions and responses with OpenAI's own client", () => {
  let picture: string
  beforeAll(async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const
    const big = sharp({ create: { width: 3_000, height: 2_000, channels: 3, background: '#88aacc', noise } }).jpeg()
    picture = `data:image/jpeg;base64,${(await big.toBuffer()).toString('base64')}`
  })
  const messages = (url: string) => [
    {
      role: 'user' as const,
      content: [
        { type: 'text' as const, text: 'What is it?' },
        { type: 'image_url' as const, image_url: { url } },
      ],
    },
  ]

  test('Q2 a chat completion with a picture is answered and booked', async () => {
    const before = await usage()
    const answer = await client.chat.completions.create({ model: 'gpt-4o', messages: messages(picture) })
    expect(answer.choices[0]?.message.content).toContain('picture')
    expect(answer.usage?.prompt_tokens).toBeGreaterThan(0)
    const after = await usage()
    // $2.5 and $10 a million.
    const { prompt_tokens = 0, completion_tokens = 0 } = answer.usage ?? {}
    expect(after.cost.nano - before.cost.nano).toBe(prompt_tokens * 2_500 + completion_tokens * 10_000)
  })

  test('Q2 a stream passes untouched; usage that was not asked for is booked and not shown', async () => {
    const before = await usage()
    const ask = (include: boolean) =>
      client.chat.completions.create({
        ...{ model: 'gpt-4o', messages: messages(picture), stream: true },
        ...(include ? { stream_options: { include_usage: true } } : {}),
      })
    let text = ''
    for await (const chunk of await ask(false)) {
      expect(chunk.choices).toHaveLength(1)
      text += chunk.choices[0]?.delta.content ?? ''
    }
    expect(text).toContain('picture')
    const once = await usage()
    expect(once.cost.nano).toBeGreaterThan(before.cost.nano)
    let told: unknown = null
    for await (const chunk of await ask(true)) told = chunk.usage ?? told
    expect(told).toMatchObject({ total_tokens: expect.any(Number) })
    expect((await usage()).cost.nano - once.cost.nano).toBe(once.cost.nano - before.cost.nano)
  })

  test('Q2 a response, plain and streamed', async () => {
    const input = [
      {
        role: 'user' as const,
        content: [
          { type: 'input_text' as const, text: 'What is it?' },
          { type: 'input_image' as const, image_url: picture, detail: 'high' as const },
        ],
      },
    ]
    const plain = await client.responses.create({ model: 'gpt-6.1-sol', input })
    expect(plain.output_text).toContain('picture')
    const types: string[] = []
    for await (const event of await client.responses.create({ model: 'gpt-6.1-sol', input, stream: true })) {
      types.push(event.type)
    }
    expect([types[0], types.at(-1)]).toEqual(['response.created', 'response.completed'])
    const helper = client.responses.stream({ model: 'gpt-6.1-sol', input: 'say: hello' })
    expect((await helper.finalResponse()).output_text).toBe('hello')
    const { requests } = await usage()
    expect(requests).toBeGreaterThan(2)
  })

  test("Q2 the provider's refusal of the caller's own request comes as it is, and costs nothing", async () => {
    const before = await usage()
    parley.loopback.media.next.push({ refuse: 422 })
    const refused = await failure(client.chat.completions.create({ model: 'gpt-4o', messages: messages(picture) }))
    expect(refused).toMatchObject({ status: 422, type: 'invalid_request_error' })
    expect((await usage()).cost).toEqual(before.cost)
  })

  test('Q5 trouble at the provider is tried again before the caller hears of it', async () => {
    parley.loopback.media.next.push({ refuse: 503 }, { rateLimited: 0 })
    const answer = await client.chat.completions.create({
      ...{ model: 'gpt-4o', messages: [{ role: 'user', content: 'say: there' }] },
    })
    expect(answer.choices[0]?.message.content).toBe('there')
  })

  test('Q4 M4 the picture is made smaller, and the tokens left out are in the usage', async () => {
    const ask = (headers: Record<string, string>) =>
      client.chat.completions.create({ model: 'gpt-6.1-sol', messages: messages(picture) }, { headers })
    const saved = async () => (await usage()).savings.find(({ kind }) => kind === 'pixels_removed')?.saved.nano ?? 0
    const before = await saved()
    const small = await ask({})
    const large = await ask({ 'x-parley-prepare': 'off' })
    expect(large.choices[0]?.message.content).toContain('3000 by 2000')
    expect(small.choices[0]?.message.content).not.toContain('3000 by 2000')
    const less = (large.usage?.prompt_tokens ?? 0) - (small.usage?.prompt_tokens ?? 0)
    expect(less).toBeGreaterThan(1_000)
    // $2 a million.
    expect((await saved()) - before).toBe(less * 2_000)
  })

  test('Q4 what is no picture we can read goes on as it came, and the provider judges it', async () => {
    const text = `data:image/svg+xml;base64,${Buffer.from('<svg/>').toString('base64')}`
    const refused = await failure(client.chat.completions.create({ model: 'gpt-4o', messages: messages(text) }))
    expect(refused).toMatchObject({ status: 400, code: 'invalid_image_format' })
  })

  test('a picture at an address inside is not fetched', async () => {
    const ask = client.chat.completions.create({ model: 'gpt-4o', messages: messages('https://127.0.0.1/secret.png') })
    expect(await failure(ask)).toMatchObject({ status: 400, code: 'url_not_allowed' })
  })

  test('M2 models of another kind, dearer tiers and unbooked answers are refused', async () => {
    const ask = (changes: object) =>
      failure(client.chat.completions.create({ model: 'gpt-4o', messages: messages(picture), ...changes }))
    expect(await ask({ model: 'gpt-realtime' })).toMatchObject({ status: 404, code: 'model_not_found' })
    expect(await ask({ service_tier: 'priority' })).toMatchObject({ status: 400, param: 'service_tier' })
    const background = client.responses.create({ model: 'gpt-6.1-sol', input: 'x', background: true })
    expect(await failure(background)).toMatchObject({ status: 400, param: 'background' })
  })
})

describe('money', () => {
  test('L5 the budget of the tenant bounds drop-ins as it bounds everything', async () => {
    const limits = { tenant: { perDay: '$0.0005' } }
    await using poor = await Parley.start({ policy: { models, plans: { default: { limits } } }, tools: true })
    const own = new OpenAI({ apiKey: demo.key, baseURL: `${poor.url}/v1`, maxRetries: 0 })
    const file = () => createReadStream(recording)
    const spent = await failure(own.audio.transcriptions.create({ file: file(), model: 'whisper-1' }))
    expect(spent).toMatchObject({ status: 402, code: 'insufficient_quota' })
    expect(poor.loopback.media.requests).toBe(0)
    // An answer is cut down to what is left.
    const chat = await own.chat.completions
      .create({
        ...{ model: 'gpt-6.1-sol', messages: [{ role: 'user', content: `say: ${'long '.repeat(2_000)}` }] },
      })
      .catch((error: APIError) => error)
    expect(chat).toMatchObject({ status: 402 })
  })

  test('L5 where money is short an answer is shortened rather than refused', async () => {
    const limits = { tenant: { perDay: '$0.008' } }
    await using poor = await Parley.start({ policy: { models, plans: { default: { limits } } }, tools: true })
    const own = new OpenAI({ apiKey: demo.key, baseURL: `${poor.url}/v1`, maxRetries: 0 })
    const chat = await own.chat.completions.create({
      ...{ model: 'gpt-6.1-sol', messages: [{ role: 'user', content: `say: ${'long '.repeat(400)}` }] },
    })
    expect(chat.choices[0]?.finish_reason).toBe('length')
    const journal = async () => {
      const entries = await poor.store.redis.xrange(keys.journal(keys.limits), '-', '+')
      return entries.map(([, fields]) => JSON.parse(fields[1] as string) as LedgerRecord)
    }
    let records = await journal()
    while (records.length === 0) records = await journal()
    const [record] = records
    expect(record?.cost).toBeLessThanOrEqual(8_000_000)
    expect(record).toMatchObject({ kind: 'stage', status: 'incomplete' })
  })
})
