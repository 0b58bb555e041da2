import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

/** The same value written in some legal way: with spaces, in any order of keys. */
function written(value: unknown, space: string): string {
  return JSON.stringify(value, null, space)
}

/** This provider answers none, and so many may wait for an answer. */
const MOST_UPDATES = 64

/** Keeps every frame but the updates of the session after the first `most`. */
function atMostUpdates(most: number): (frame: string) => boolean {
  let left = most
  return (frame) => JSON.parse(frame).type !== 'session.update' || left-- > 0
}

const types = [
  'conversation.item.retrieve',
  'response.cancel',
  'input_audio_buffer.commit',
  'something.unknown',
  'session.update',
]

describe('forwarding', () => {
  let upstream: RawUpstream
  let parley: Parley
  let caller: Caller
  beforeAll(async () => {
    upstream = await RawUpstream.start()
    parley = await Parley.start({
      provider: upstream.baseUrl,
      policy: { door: { messageBurst: 100_000, messagesPerSecond: 100_000 } },
    })
  })
  afterAll(async () => {
    await parley[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    caller = await Caller.connect(parley.door(), demo.key)
    upstream.received.length = 0
  })
  afterEach(() => caller[Symbol.dispose]())

  test('W2 the provider gets every event of a caller byte for byte, in order', async () => {
    const event = fc.record({
      type: fc.constantFrom(...types),
      event_id: fc.string(),
      x: fc.jsonValue({ maxDepth: 4 }),
    })
    const frames = fc
      .sample(
        fc.tuple(event, fc.constantFrom('', ' ', '\t')).map(([value, space]) => written(value, space)),
        300,
      )
      .filter((frame) => !frame.includes('__proto__'))
      .filter(atMostUpdates(MOST_UPDATES))
    for (const frame of frames) caller.send(frame)
    await upstream.until(() => upstream.received.length >= frames.length)
    expect(upstream.received).toEqual(frames)
  })

  test('W2 a caller gets every event of the provider byte for byte, in order', async () => {
    const event = fc.record({
      type: fc.constantFrom('something.unknown', 'response.output_text.delta', 'response.content_part.added'),
      delta: fc.string({ unit: 'binary' }),
      x: fc.jsonValue({ maxDepth: 4 }),
    })
    const frames = fc.sample(
      fc.tuple(event, fc.constantFrom('', ' ', '\t')).map(([value, space]) => written(value, space)),
      300,
    )
    const from = caller.frames.length
    for (const frame of frames) upstream.send(frame)
    upstream.send({ type: 'the.last' })
    await caller.next('the.last')
    // A lone surrogate has no UTF-8 form: what the provider's socket made of it is what must arrive.
    const wire = frames.map((frame) => Buffer.from(frame).toString())
    expect(caller.frames.slice(from, -1)).toEqual(wire)
  })

  test('W2 a frame that the provider sends broken passes as it is, and harms nobody', async () => {
    const from = caller.frames.length
    const broken = ['{"type":"response.output_text.delta","delta":', '[]', '"', '{"type":"response.done","response":7}']
    for (const frame of broken) upstream.send(frame)
    upstream.send({ type: 'after' })
    await caller.next('after')
    expect(caller.frames.slice(from, -1)).toEqual(broken)
  })

  test('W3 the provider sees its own key and nothing of the caller', async () => {
    using shy = await Caller.connect(parley.door(), demo.key, {
      headers: { 'OpenAI-Beta': 'realtime=v1', 'X-Forwarded-For': '10.0.0.1', Cookie: 'a=b' },
    })
    const headers = upstream.requests.at(-1)?.headers ?? {}
    expect(shy.socket.readyState).toBe(shy.socket.OPEN)
    expect(headers.authorization).toBe('Bearer sk-provider-secret')
    expect(headers['openai-beta']).toBeUndefined()
    expect(headers.cookie).toBeUndefined()
    expect(headers['x-forwarded-for']).toBeUndefined()
  })
})
