import { readFileSync } from 'node:fs'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pages, pcm, silence, speech } from '../../fixtures/index.ts'
import { endpointOf } from '../../src/calls/endpoint.ts'
import type { DialConfig, ProviderConfig } from '../../src/config/config.ts'
import { wav } from '../../src/talk/wav.ts'
import { traceparentOf } from '../../src/traces/traceparent.ts'
import { traced } from '../../src/traces/tracer.ts'
import { dialTarget } from '../../src/upstream/provider.ts'
import { Caller } from '../support/caller.ts'
import { eventually } from '../support/eventually.ts'
import { type Answer, MediaCaller } from '../support/media-caller.ts'
import { demo, Parley } from '../support/parley.ts'
import { callersTrace, idOf, named, one, parentOf, Spans } from '../support/spans.ts'
import { wholeWorkers } from '../support/whole-workers.ts'

// Before anything is put together, as `--import` does.
const spans = new Spans()
const models = {
  'gpt-realtime': { provider: 'play' },
  'whisper-1': { provider: 'play', kind: 'transcription' as const },
  'gpt-4o-transcribe': { provider: 'play', kind: 'transcription' as const },
  'gpt-4o': { provider: 'play', kind: 'vision' as const },
}
const talk = wav(Buffer.concat([pcm(speech.weather), silence(2_000), pcm(speech.order)]))
const NANO = 'parley.cost.nano_usd'

/** What the ledger has of one session or job. */
interface Booked {
  requests: number
  cost: { nano: number }
  tokens: Record<'input' | 'output', Record<'text' | 'audio' | 'image', number>>
}

describe('V4 traces', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let media: MediaCaller
  beforeAll(async () => {
    parley = stack.use(await Parley.start({ policy: { models }, ledger: true, tools: true }))
    media = new MediaCaller(parley)
    await wholeWorkers(parley, stack)
  }, 60_000)
  afterAll(() => stack.disposeAsync())

  /** The ledger's row of a session or job, once it has so many records. */
  async function ledger(session: string, model: string, requests: number): Promise<Booked> {
    let found: Booked | undefined
    await eventually(async () => {
      const { body } = await media.get(`/v1/usage?group_by=session,model&session=${session}&model=${model}`)
      found = body.data[0]
      expect(found?.requests).toBe(requests)
    }, 20_000)
    return found as Booked
  }
  const sum = (all: readonly ReadableSpan[], name: string) =>
    all.reduce((total, { attributes }) => total + Number(attributes[name] ?? 0), 0)

  test('V4 a session is one trace with its dial, its responses and what was written down, by the numbers of the ledger', async () => {
    const mine = callersTrace('a1')
    using caller = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key, { headers: mine.headers })
    const audio = { input: { turn_detection: null, transcription: { model: 'gpt-4o-transcribe' } } }
    caller.send({ type: 'session.update', session: { type: 'realtime', audio } })
    await caller.next('session.updated')
    await caller.ask('say: the code word is walrus')
    const from = caller.events.length
    caller.speak(pcm(speech.order))
    caller.send({ type: 'input_audio_buffer.commit' })
    caller.send({ type: 'response.create' })
    await caller.next('response.done', from)
    await caller.until((event) => event.type === 'parley.usage' && event.kind === 'transcription')
    caller.socket.close(1000)
    const all = await spans.once(mine.traceId, 'realtime session gpt-realtime')

    const session = one(all, 'realtime session gpt-realtime')
    expect(parentOf(session)).toBe(mine.spanId)
    expect(session.attributes).toMatchObject({
      'parley.tenant': 'acme',
      'parley.session.kind': 'conversation',
      'parley.session.end_reason': 'caller_hung_up',
      'parley.session.responses': 2,
    })
    const responses = named(all, 'generate_content gpt-realtime')
    const transcription = one(all, 'speech_to_text gpt-4o-transcribe')
    const connect = one(all, 'connect gpt-realtime')
    for (const span of [connect, transcription, ...responses]) expect(parentOf(span)).toBe(idOf(session))
    expect(all.length).toBe(1 + 1 + 1 + 2)

    const id = String(session.attributes['gen_ai.conversation.id'])
    for (const { attributes } of responses) {
      expect(attributes).toMatchObject({
        'gen_ai.operation.name': 'generate_content',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-realtime',
        'gen_ai.response.model': 'gpt-realtime',
        'gen_ai.response.finish_reasons': ['completed'],
        'gen_ai.conversation.id': id,
        'parley.cost.estimated': false,
      })
    }
    const booked = await ledger(id, 'gpt-realtime', 3)
    const bought = [...responses, transcription]
    expect(sum(bought, NANO)).toBe(booked.cost.nano)
    expect(session.attributes[NANO]).toBe(booked.cost.nano)
    for (const modality of ['text', 'audio'] as const) {
      expect(sum(bought, `gen_ai.usage.${modality}.input_tokens`)).toBe(booked.tokens.input[modality])
      expect(sum(bought, `gen_ai.usage.${modality}.output_tokens`)).toBe(booked.tokens.output[modality])
    }
    const whole = ({ text, audio, image }: Booked['tokens']['input']) => text + audio + image
    expect(sum(bought, 'gen_ai.usage.input_tokens')).toBe(whole(booked.tokens.input))
    expect(sum(bought, 'gen_ai.usage.output_tokens')).toBe(whole(booked.tokens.output))
  }, 60_000)

  test('V4 a job is one trace from the request through the queues to the provider, by the numbers of the ledger', async () => {
    const mine = callersTrace('b2')
    const file = (await media.upload(talk)).body.id
    const options = { model: 'whisper-1', segment: { max_ms: 10_000 } }
    const order = { type: 'audio.transcribe', input: { file_id: file }, options }
    let job: Answer = await media.post('/v1/jobs', order, { prefer: 'wait=20', ...mine.headers })
    const { id } = job.body
    while (job.body.ended_at === null) job = await media.get(`/v1/jobs/${id}?wait_ms=20000`)
    expect(job.body.status, job.text).toBe('succeeded')
    await spans.once(mine.traceId, 'process parley-merges')
    const all = await spans.once(mine.traceId, 'POST /v1/jobs')

    // Everything hangs together: whatever is above a span is in the same trace.
    const known = new Set([mine.spanId, ...all.map(idOf)])
    for (const span of all) expect(known, `${span.name} under ${parentOf(span)}`).toContain(parentOf(span))
    const request = one(all, 'POST /v1/jobs')
    expect(request.attributes).toMatchObject({ 'http.route': '/v1/jobs', 'http.request.method': 'POST' })
    const run = one(all, 'process parley-jobs')
    expect(parentOf(run)).toBe(idOf(one(all, 'add parley-jobs.run')))
    expect(run.attributes).toMatchObject({ 'parley.job.id': id, 'parley.job.type': 'audio.transcribe' })
    for (const stage of ['open input', 'media prepare-audio']) expect(parentOf(one(all, stage))).toBe(idOf(run))
    const pieces = named(all, 'process parley-pieces').map(idOf)
    const calls = named(all, 'speech_to_text whisper-1')
    expect(calls.length).toBe(job.body.usage.calls)
    for (const call of calls) {
      expect(pieces).toContain(parentOf(call))
      expect(call.attributes).toMatchObject({ 'gen_ai.provider.name': 'openai', 'parley.job.id': id })
    }
    const whole = one(all, 'job audio.transcribe')
    expect(parentOf(whole)).toBe(idOf(request))
    expect(whole.attributes).toMatchObject({ 'parley.job.status': 'succeeded', 'parley.job.calls': calls.length })

    const booked = await ledger(id, 'whisper-1', calls.length)
    expect(booked.cost.nano).toBeGreaterThan(0)
    expect(sum(calls, NANO)).toBe(booked.cost.nano)
    expect(whole.attributes[NANO]).toBe(booked.cost.nano)
  }, 60_000)

  test('V4 each line of a batch is a trace of its own, from its making to the end of its job', async () => {
    const input = { file_id: (await media.upload(readFileSync(pages.receipt.file))).body.id }
    const line = { custom_id: 'a', method: 'POST', url: '/v1/jobs', body: { type: 'image.prepare', input } }
    const lines = (await media.upload(JSON.stringify(line), '?purpose=batch')).body.id
    const batch = { input_file_id: lines, endpoint: '/v1/jobs', completion_window: '24h' }
    expect((await media.post('/v1/batches', batch, { 'Idempotency-Key': 'traced' })).status).toBeLessThan(300)
    await eventually(() => expect(named(spans.all, 'job image.prepare').length).toBe(1), 20_000)
    const whole = one(spans.all, 'job image.prepare')
    const { traceId } = whole.spanContext()
    const all = await spans.once(traceId, 'process parley-jobs')
    expect(parentOf(whole)).toBe(idOf(one(all, 'batch line')))
    expect(named(all, 'media prepare-picture').length).toBe(1)
  }, 60_000)

  test('V4 a drop-in is one trace, too, and tells its refusals by code', async () => {
    const mine = callersTrace('c3')
    const messages = [{ role: 'user', content: 'say: the code word is walrus' }]
    const ask = (model: string) => media.post('/v1/chat/completions', { model, messages }, mine.headers)
    expect((await ask('gpt-4o')).status).toBe(200)
    expect((await ask('nobody')).status).toBe(404)
    await eventually(() => expect(named(spans.in(mine.traceId), 'POST /v1/chat/completions').length).toBe(2), 10_000)
    const all = spans.in(mine.traceId)
    const call = one(all, 'chat gpt-4o')
    const [request, refused] = named(all, 'POST /v1/chat/completions')
    expect(parentOf(call)).toBe(idOf(request as ReadableSpan))
    expect(call.attributes[NANO]).toBeGreaterThan(0)
    expect(refused?.attributes['http.response.status_code']).toBe(404)
  })

  test('V4 a provider is told the trace only where it is the operator’s own and the policy file says so', async () => {
    const dial = parley.config.providers.get('play')?.dial as DialConfig
    const call = { kind: 'conversation', model: 'm' } as const
    const own = { type: 'openai-compatible', baseUrl: 'http://gateway/v1', dial } as const
    const providers: ProviderConfig[] = [{ type: 'openai', apiKey: 'k', baseUrl: 'https://x/v1', dial }, own]
    await traced('what is going on', {}, async () => {
      const header = traceparentOf() as string
      for (const provider of providers) {
        expect(JSON.stringify(dialTarget(provider, call, ''))).not.toContain(header)
        expect(endpointOf(provider, '').isTold).toBe(false)
      }
      const told = { ...own, traceparent: true }
      expect(dialTarget(told, call, '').headers.traceparent).toBe(header)
      expect(endpointOf(told, '').isTold).toBe(true)
    })
  })

  test('V4 nobody reads in a trace what was said, shown or sent, nor a key, nor an address that is none', async () => {
    await media.get(`/v1/nothing/${demo.key}`)
    await media.get(`/v1/jobs/${demo.key}?wait_ms=0&x=${demo.key}`)
    await media.get('/healthz')
    await media.get('/metrics')
    const mine = callersTrace('d4')
    await media.get('/v1/models', mine.headers)
    await spans.once(mine.traceId, 'GET /v1/models')
    const told = JSON.stringify(
      spans.all.map(({ name, attributes, events, status }) => [name, attributes, events, status]),
    )
    for (const secret of [demo.key, 'sk-provider-secret', 'walrus', 'healthz', 'metrics', 'nothing']) {
      expect(told).not.toContain(secret)
    }
    // The loopback provider says how long it listened, and what it read.
    expect(told).not.toMatch(/seconds of speech|It heard|It read/)
    // Queues that look for work tell nothing of it.
    expect(spans.all.map(({ name }) => name).join(' ')).not.toMatch(/getNextJob|Stalled/)
  })
})
