import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { keys } from '../../src/store/keys.ts'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

// Nobody listens any more, and the provider goes on: what is read, and what is booked.

const MiB = 1_024 * 1_024
/** 5 s of audio in one event. */
const delta = JSON.stringify({
  type: 'response.output_audio.delta',
  response_id: 'resp_1',
  item_id: 'item_1',
  delta: 'A'.repeat(320_000),
})
const usage = {
  total_tokens: 3_030,
  input_tokens: 30,
  output_tokens: 3_000,
  input_token_details: { text_tokens: 30 },
  output_token_details: { audio_tokens: 3_000 },
}

let upstream: RawUpstream
let parley: Parley
beforeEach(async () => {
  upstream = await RawUpstream.start()
  // Longer than this test may take: time is not what ends the line.
  const plans = { default: { session: { lastUsage: '1m' as const } } }
  parley = await Parley.start({ provider: upstream.baseUrl, policy: { plans } })
})
afterEach(async () => {
  await parley[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

/** A caller that vanishes in the middle of a response, which is then cancelled. */
async function left(): Promise<void> {
  const caller = await Caller.connect(parley.door(), demo.key)
  upstream.send({ type: 'response.created', response: { id: 'resp_1', conversation_id: 'conv_1' } })
  await caller.next('response.created')
  caller.vanish()
  await upstream.until(() => upstream.received.some((frame) => frame.includes('"response.cancel"')))
}

/** Sends the answer on and on, up to `most` bytes, as fast as the line takes it; resolves with the bytes it took. */
async function goOn(most: number): Promise<number> {
  const { socket } = upstream
  const closed = once(socket, 'close')
  let sent = 0
  while (sent < most && socket.readyState === socket.OPEN) {
    const { promise, resolve } = Promise.withResolvers<void>()
    socket.send(delta, () => resolve())
    await Promise.race([promise, closed])
    sent += delta.length
  }
  return sent
}

/** What has been booked, once it is there. */
async function booked(): Promise<LedgerRecord[]> {
  for (;;) {
    const entries = await parley.store.redis.xrange(keys.journal(keys.limits), '-', '+')
    if (entries.length > 0) return entries.map(([, fields]) => JSON.parse(fields[1] as string))
  }
}

/** Resolves once no session is left. */
async function over(): Promise<void> {
  for (;;) {
    const answer = await fetch(`${parley.url}/v1/sessions`, { headers: { Authorization: `Bearer ${demo.key}` } })
    if (((await answer.json()) as { data: unknown[] }).data.length === 0) return
  }
}

test('M3 S4 what an answer cost is read behind all of it, and booked once', async () => {
  await left()
  expect(await goOn(12 * MiB)).toBeGreaterThan(12 * MiB)
  upstream.send({ type: 'response.done', response: { id: 'resp_1', status: 'cancelled', usage } })
  upstream.send({ type: 'response.done', response: { id: 'resp_1', status: 'cancelled', usage } })
  await upstream.until(() => upstream.socket.readyState === upstream.socket.CLOSED)
  expect(await booked()).toMatchObject([
    { kind: 'response', providerId: 'resp_1', basis: 'usage', estimated: false, cost: 30 * 4_000 + 3_000 * 64_000 },
  ])
  await over()
})

test('S6 M1 an answer without end is read up to a bound, and booked as what was heard of it', async () => {
  await left()
  const sent = await goOn(192 * MiB)
  // 16 MiB are read; the kernel holds some more on either side of the line.
  expect(sent).toBeLessThan(48 * MiB)
  const [record, ...others] = await booked()
  expect(others).toEqual([])
  expect(record).toMatchObject({ kind: 'response', providerId: 'resp_1', basis: 'estimate', estimated: true })
  // 20 tokens a second: not less than the longest answer there is, and no more than was read.
  const audio = record?.usage.out.audio
  expect(audio).toBeGreaterThan(4_096)
  expect(audio).toBeLessThanOrEqual(Math.ceil((16 * MiB) / delta.length) * 100)
  await over()
})

/** A caller whose turn of one second has been taken and is being written down by gpt-4o-transcribe. */
async function beingWrittenDown(): Promise<Caller> {
  const caller = await Caller.connect(parley.door(), demo.key)
  const session = { type: 'realtime', audio: { input: { transcription: { model: 'gpt-4o-transcribe' } } } }
  upstream.send({ type: 'session.updated', session })
  await caller.next('session.updated')
  caller.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(48_000).toString('base64') })
  caller.send({ type: 'input_audio_buffer.commit' })
  await upstream.until(() => upstream.received.some((frame) => frame.includes('"input_audio_buffer.commit"')))
  upstream.send({ type: 'input_audio_buffer.committed', item_id: 'item_7' })
  await caller.next('input_audio_buffer.committed')
  return caller
}
const about = { kind: 'transcription', providerId: 'item_7', providerModel: 'gpt-4o-transcribe' }

test('M3 a transcription whose end is never heard is noted, and booked at the most it can have come to', async () => {
  using _caller = await beingWrittenDown()
  const { redis } = parley.store
  const [session] = await redis.zrange(`${keys.limits}:leases`, 0, '-1')
  const noted = async () =>
    (await redis.hkeys(`${keys.limits}:lease:${session}`)).filter((field) => field.startsWith('running:'))
  while ((await noted()).length === 0);
  expect(await noted()).toEqual([`running:${session}:t:item_7`])
  upstream.socket.terminate()
  // A second is 10 tokens of audio, with the step a turn is rounded up by 11; as many words and an item's overhead.
  expect(await booked()).toMatchObject([
    { ...about, basis: 'estimate', status: 'unknown', estimated: true, cost: 11 * 6_000 + 19 * 10_000 },
  ])
})

test('M3 a transcription that failed is booked as nothing, once', async () => {
  using _caller = await beingWrittenDown()
  const failed = {
    type: 'conversation.item.input_audio_transcription.failed',
    item_id: 'item_7',
    content_index: 0,
    error: { code: 'audio_unintelligible', message: 'x' },
  }
  upstream.send(failed)
  upstream.send(failed)
  expect(await booked()).toMatchObject([{ ...about, basis: 'usage', status: 'failed', cost: 0 }])
  upstream.socket.terminate()
  await over()
  expect(await booked()).toHaveLength(1)
})
