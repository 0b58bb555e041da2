import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, expect, test } from 'vitest'
import { speech } from '../../fixtures/index.ts'
import {
  CallFailed,
  type MediaProvider,
  type TranscriptionCall,
  type VisionCall,
} from '../../src/calls/media-provider.ts'
import { ms } from '../../src/units.ts'
import type { MediaDoor } from '../../src/upstream/loopback/media/media-door.ts'

export interface MediaProviderUnderTest {
  readonly provider: MediaProvider
  /** The service behind it, which counts what it sells and fails on demand. */
  readonly service: MediaDoor
  /** A folder for files. */
  readonly folder: string
  /** How long a call may take, ms. */
  timeout: number
}

export const LONG_ENOUGH_MS = 20_000

/** 1 s shorter or longer would show in what is billed. */
export const ORDER: TranscriptionCall = {
  model: 'whisper-1',
  path: speech.order.file,
  mime: 'audio/wav',
  bytes: statSync(speech.order.file).size,
  duration: ms((statSync(speech.order.file).size - 44) / 48),
  language: 'en',
  prompt: null,
  temperature: null,
  format: 'verbose_json',
  timestamps: ['word', 'segment'],
  logprobs: false,
}

/** What every seller of transcriptions and descriptions keeps, whatever its kind. */
export function mediaProviderContract(under: () => MediaProviderUnderTest): void {
  const never = new AbortController().signal
  const failure = (promise: Promise<unknown>): Promise<CallFailed> =>
    promise.then(
      () => {
        throw new Error('the call was to fail')
      },
      (error: unknown) => {
        if (error instanceof CallFailed) return error
        throw error
      },
    )
  let picture: VisionCall
  beforeAll(async () => {
    const path = join(under().folder, 'red.png')
    writeFileSync(
      path,
      await sharp({ create: { width: 96, height: 64, channels: 3, background: 'red' } })
        .png()
        .toBuffer(),
    )
    picture = {
      model: 'gpt-4o-mini',
      prompt: 'What is it?',
      pictures: [{ path, mime: 'image/png', detail: 'high' }],
      text: null,
      maxOutputTokens: 100,
    }
  })

  test('Q5 a transcription with words and segments, in ms, and its usage by duration', async () => {
    const { provider, service } = under()
    const answer = await provider.transcribe(ORDER, never)
    expect(answer.text.length).toBeGreaterThan(0)
    const words = answer.words ?? []
    expect(words.map(({ word }) => word).join(' ')).toBe(answer.text)
    expect(words.every((word, i) => word.start <= word.end && word.start >= (words[i - 1]?.end ?? 0))).toBe(true)
    expect(words.at(-1)?.end).toBeLessThanOrEqual(ORDER.duration)
    expect(answer.segments?.[0]).toMatchObject({ start: 0, avgLogprob: expect.any(Number), speaker: null })
    expect(answer.meanLogprob).toBeCloseTo(answer.segments?.[0]?.avgLogprob ?? 0, 6)
    expect(answer.usage?.audioMs).toBe(Math.round(ORDER.duration))
    expect(answer.usage?.estimated).toBe(false)
    expect(service.bills.at(-1)?.usage).toMatchObject({ type: 'duration' })
  })

  test('Q5 a model sold by tokens tells them, and its log probabilities where asked', async () => {
    const { provider } = under()
    const call = { ...ORDER, model: 'gpt-4o-transcribe', format: 'json', logprobs: true } as const
    const answer = await provider.transcribe(call, never)
    expect(answer.usage?.in.audio).toBe(Math.ceil(ORDER.duration / 100))
    expect(answer.usage?.out.text).toBeGreaterThan(0)
    expect(answer.meanLogprob).toBeLessThan(0)
    expect(answer.words).toBeNull()
  })

  test('Q5 speakers, where the model tells voices apart', async () => {
    const call = { ...ORDER, model: 'gpt-4o-transcribe-diarize', format: 'diarized_json' } as const
    const answer = await under().provider.transcribe(call, never)
    expect(answer.segments?.[0]?.speaker).toBe('A')
  })

  test('Q5 a streamed transcription is told piece by piece and comes to the same answer', async () => {
    const { provider } = under()
    const call = { ...ORDER, model: 'gpt-4o-transcribe', format: 'json' } as const
    const heard: string[] = []
    const answer = await provider.transcribe(call, never, (text) => heard.push(text))
    expect(heard.length).toBeGreaterThan(1)
    expect(heard.join('')).toBe(answer.text)
    expect(answer).toMatchObject({ ...(await provider.transcribe(call, never)), requestId: expect.any(String) })
  })

  test('Q5 a description of a picture, with its usage', async () => {
    const answer = await under().provider.describe(picture, never)
    expect(answer).toMatchObject({ isCut: false, requestId: expect.any(String) })
    expect(answer.text).toContain('96 by 64')
    expect(answer.usage?.in.text).toBeGreaterThan(0)
    expect(answer.usage?.out.text).toBeGreaterThan(0)
  })

  test('Q5 a description that reached its limit says so', async () => {
    const answer = await under().provider.describe({ ...picture, maxOutputTokens: 2 }, never)
    expect(answer.isCut).toBe(true)
  })

  test('Q5 a request is forwarded and its answer comes as it is, refusals of the asker too', async () => {
    const { provider } = under()
    const messages = [{ role: 'user', content: 'say: hello' }]
    const good = await provider.forward({ path: 'chat/completions', body: { model: 'gpt-4o', messages } }, never)
    expect(good).toMatchObject({ status: 200, contentType: 'application/json' })
    expect(JSON.parse(await textOf(good.body))).toMatchObject({ choices: [{ message: { content: 'hello' } }] })
    const bad = await provider.forward({ path: 'responses', body: { input: 'x' } }, never)
    expect(bad.status).toBe(400)
    expect(JSON.parse(await textOf(bad.body))).toMatchObject({ error: { param: 'model' } })
  })

  test.each([
    ['too many requests, with the wait', { rateLimited: 7 }, { kind: 'rate_limited', status: 429, retryAfter: 7_000 }],
    ['no money at the provider', { quota: 1 }, { kind: 'bad_credentials', status: 429 }],
    ['trouble there', { refuse: 503 }, { kind: 'unavailable', status: 503, mayBeBought: false }],
    ['a gateway that gave up', { refuse: 504 }, { kind: 'unavailable', status: 504, mayBeBought: true }],
    ['a refusal', { refuse: 400 }, { kind: 'refused', status: 400 }],
    ['a credential that is not taken', { refuse: 401 }, { kind: 'bad_credentials', status: 401 }],
    ['a line that is cut before the answer', { drop: 1 }, { kind: 'unavailable', status: null, mayBeBought: true }],
    ['a line that is cut in the answer', { drop: 2 }, { kind: 'unavailable', mayBeBought: true }],
    ['an answer that is no JSON', { malformed: 1 }, { kind: 'bad_answer', mayBeBought: true }],
  ])('Q5 tells apart: %s', async (_, fault, expected) => {
    const { provider, service } = under()
    service.next.push(fault)
    expect(await failure(provider.transcribe(ORDER, never))).toMatchObject(expected)
    service.next.push(fault)
    expect(await failure(provider.describe(picture, never))).toMatchObject(expected)
  })

  test('Q5 an answer that does not come in time is given up', async () => {
    const { provider, service } = under()
    service.next.push({ silent: 1 })
    under().timeout = 100
    expect(await failure(provider.transcribe(ORDER, never))).toMatchObject({ kind: 'timeout', mayBeBought: true })
    under().timeout = LONG_ENOUGH_MS
  })

  test('Q5 a stream that ends before its last event is no answer', async () => {
    const { provider, service } = under()
    service.next.push({ drop: 3 })
    const call = { ...ORDER, model: 'gpt-4o-transcribe', format: 'json' } as const
    expect(await failure(provider.transcribe(call, never, () => undefined))).toMatchObject({ mayBeBought: true })
  })

  test('Q5 an answer without usage is an answer', async () => {
    const { provider, service } = under()
    service.next.push({ missingUsage: 1 })
    expect((await provider.transcribe(ORDER, never)).usage).toBeNull()
  })

  test('Q5 whoever asked can hang up, before and during', async () => {
    const { provider, service } = under()
    const before = AbortSignal.abort(new Error('not any more'))
    await expect(provider.transcribe(ORDER, before)).rejects.toThrow('not any more')
    const during = new AbortController()
    service.next.push({ silent: 1 })
    const call = provider.transcribe(ORDER, during.signal)
    const requests = service.requests
    while (service.requests === requests) await new Promise(setImmediate)
    during.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
  })
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}
