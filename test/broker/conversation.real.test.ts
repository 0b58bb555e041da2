import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'

describe('a conversation through the broker', () => {
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start()
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  test('W1 speech is heard, answered in audio, and billed once', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.speak(Buffer.concat([pcm(speech.weather), silence(1_000)]))
    const done = await caller.next('response.done')
    expect((done.response as { status: string }).status).toBe('completed')
    const order = caller.events.map((event) => event.type)
    expect(order.indexOf('input_audio_buffer.speech_started')).toBeGreaterThan(0)
    expect(order.indexOf('input_audio_buffer.committed')).toBeGreaterThan(
      order.indexOf('input_audio_buffer.speech_stopped'),
    )
    const heard = caller.of('response.output_audio.delta').map((event) => Buffer.from(event.delta as string, 'base64'))
    // The answer is the caller's own words, from the prefix padding to the end of speech.
    expect(Buffer.concat(heard).length).toBeGreaterThan(2_000 * 48)
    expect(parley.loopback.bills.length).toBe(1)
  })

  test('W2 what a client sends the moment it is connected is not lost', async () => {
    const callers = Array.from({ length: 20 }, () => new Caller(parley.door(), demo.key))
    for (const caller of callers) {
      caller.socket.once('open', () => {
        caller.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Be brief.' } })
        caller.send({ type: 'input_audio_buffer.append', audio: silence(200).toString('base64') })
        caller.send({ type: 'input_audio_buffer.commit' })
      })
    }
    for (const caller of callers) {
      await caller.next('session.updated')
      await caller.next('input_audio_buffer.committed')
      caller[Symbol.dispose]()
    }
  })

  test('W1 a scripted tool call goes out and its result is answered', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.send({
      type: 'session.update',
      session: { type: 'realtime', tools: [{ type: 'function', name: 'weather', parameters: {} }] },
    })
    await caller.next('session.updated')
    await caller.ask('call weather {"city":"Oslo"}')
    const call = await caller.next('response.function_call_arguments.done')
    expect(JSON.parse(call.arguments as string)).toEqual({ city: 'Oslo' })
    const from = caller.events.length
    caller.send({
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id: call.call_id, output: '{"sky":"blue"}' },
    })
    caller.send({ type: 'response.create' })
    const done = await caller.next('response.done', from)
    expect((done.response as { status: string }).status).toBe('completed')
  })

  test('W1 a transcription session is served by intent alone', async () => {
    using caller = new Caller(parley.door('intent=transcription'), demo.key)
    const created = await caller.next('session.created')
    expect((created.session as { type: string }).type).toBe('transcription')
    caller.speak(Buffer.concat([pcm(speech.weather), silence(1_000)]))
    await caller.next('conversation.item.input_audio_transcription.completed')
  })
})
