import { afterEach, beforeEach, expect, test } from 'vitest'
import { silence } from '../../fixtures/index.ts'
import { keys } from '../../src/store/keys.ts'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream, SESSION_CREATED } from '../support/raw-upstream.ts'

const input = { ...SESSION_CREATED.session.audio.input, transcription: { model: 'gpt-transcribe' } }
const session = { ...SESSION_CREATED.session, audio: { ...SESSION_CREATED.session.audio, input } }
const usage = {
  total_tokens: 30,
  input_tokens: 20,
  output_tokens: 10,
  input_token_details: { audio_tokens: 20 },
  output_token_details: { audio_tokens: 10 },
}

let upstream: RawUpstream
let parley: Parley
beforeEach(async () => {
  upstream = await RawUpstream.start({ ...SESSION_CREATED, session })
  parley = await Parley.start({ provider: upstream.baseUrl })
})
afterEach(async () => {
  await parley[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

const heard = (type: string) => upstream.received.some((frame) => frame.includes(`"${type}"`))
const closed = () => upstream.socket.readyState === upstream.socket.CLOSED

test('M3 a turn that the provider took while its caller hung up is heard of, cancelled and booked', async () => {
  const caller = await Caller.connect(parley.door(), demo.key)
  caller.speak(silence(500))
  await upstream.until(() => heard('input_audio_buffer.append'))
  caller.socket.close(1000)
  await upstream.until(() => heard('input_audio_buffer.clear'))
  // All of this was on its way when the caller hung up.
  upstream.send({ type: 'input_audio_buffer.speech_started', audio_start_ms: 0, item_id: 'item_1' })
  upstream.send({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: 400, item_id: 'item_1' })
  upstream.send({ type: 'input_audio_buffer.committed', item_id: 'item_1' })
  upstream.send({ type: 'response.created', response: { id: 'resp_1', conversation_id: 'conv_1' } })
  upstream.send({ type: 'input_audio_buffer.cleared' })
  await upstream.until(() => heard('response.cancel'))
  upstream.send({ type: 'response.done', response: { id: 'resp_1', status: 'cancelled', usage } })
  expect(closed()).toBe(false)
  upstream.send({
    type: 'conversation.item.input_audio_transcription.completed',
    item_id: 'item_1',
    transcript: 'Hello.',
    usage: { type: 'duration', seconds: 0.4 },
  })
  await upstream.until(closed)
  for (;;) {
    const entries = await parley.store.redis.xrange(keys.journal(keys.limits), '-', '+')
    if (entries.length < 2) continue
    const booked = entries.map(([, fields]) => JSON.parse(fields[1] as string) as Record<string, unknown>)
    expect(booked).toMatchObject([
      { kind: 'response', basis: 'usage', providerId: 'resp_1', cost: 20 * 32_000 + 10 * 64_000 },
      { kind: 'transcription', basis: 'usage', providerId: 'item_1', cost: 400 * 75 },
    ])
    break
  }
})

test('M3 a provider that has nothing more to say is let go when it says so; one that was sent no audio, at once', async () => {
  const caller = await Caller.connect(parley.door(), demo.key)
  caller.speak(silence(200))
  await upstream.until(() => heard('input_audio_buffer.append'))
  caller.socket.close(1000)
  await upstream.until(() => heard('input_audio_buffer.clear'))
  upstream.send({ type: 'input_audio_buffer.cleared' })
  await upstream.until(closed)

  const silent = await Caller.connect(parley.door(), demo.key)
  upstream.received.length = 0
  silent.socket.close(1000)
  await upstream.until(closed)
  expect(upstream.received).toEqual([])
})
