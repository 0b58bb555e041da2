import { expect, test } from 'vitest'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import { Caller, type Event } from '../support/caller.ts'
import { demo, type Parley } from '../support/parley.ts'

type Status = { status: string; usage: { input_tokens: number; output_tokens: number; total_tokens: number } | null }

const response = (event: Event) => event.response as Status

/**
 * What Parley relies on of every provider, whatever its kind: the whole of a conversation as the GA protocol has it
 * (reference: realtime protocol). Each test goes through the broker, as a caller would.
 */
export function providerContract(installation: () => Parley): void {
  const connect = (query?: string) => Caller.connect(installation().door(query), demo.key)

  test('W1 the first event is session.created, with a whole session', async () => {
    using caller = await connect()
    expect(caller.events[0]?.type).toBe('session.created')
    expect(caller.events[0]?.session).toMatchObject({
      type: 'realtime',
      object: 'realtime.session',
      audio: expect.any(Object),
    })
  })

  test('W1 session.update is answered by session.updated with the field in it', async () => {
    using caller = await connect()
    caller.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Be brief.' } })
    expect((await caller.next('session.updated')).session).toMatchObject({ instructions: 'Be brief.' })
  })

  test('W1 a text turn: created, items, deltas, done, in the order of the protocol, with usage that adds up', async () => {
    using caller = await connect()
    const done = await caller.ask('say: hello')
    const order = caller.events.map((event) => event.type)
    const expected = [
      'response.created',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_audio.delta',
      'response.output_audio.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.done',
    ]
    const places = expected.map((type) => order.indexOf(type))
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(places.every((place) => place > 0)).toBe(true)
    const { status, usage } = response(done)
    expect(status).toBe('completed')
    expect(usage?.total_tokens).toBe((usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0))
    expect(usage?.output_tokens).toBeGreaterThan(0)
  })

  test('W1 a spoken turn is detected, transcribed where asked, and answered', async () => {
    using caller = await connect()
    caller.send({
      type: 'session.update',
      session: { type: 'realtime', audio: { input: { transcription: { model: 'gpt-transcribe' } } } },
    })
    await caller.next('session.updated')
    caller.speak(Buffer.concat([pcm(speech.weather), silence(1_000)]))
    const started = await caller.next('input_audio_buffer.speech_started')
    const stopped = await caller.next('input_audio_buffer.speech_stopped')
    expect(Number(stopped.audio_end_ms)).toBeGreaterThan(Number(started.audio_start_ms))
    await caller.next('conversation.item.input_audio_transcription.completed')
    expect(response(await caller.next('response.done')).status).toBe('completed')
  })

  test('W1 every response re-bills the conversation, with what was seen before cached', async () => {
    using caller = await connect()
    const first = response(await caller.ask('one')).usage
    const second = response(await caller.ask('two')).usage
    expect(second?.input_tokens).toBeGreaterThan(first?.input_tokens ?? 0)
  })

  test('W1 a cancelled response is done with that status, and is still billed', async () => {
    using caller = await connect()
    const from = caller.events.length
    caller.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'speak for 30 s' }] },
    })
    caller.send({ type: 'response.create' })
    await caller.next('response.output_audio.delta')
    caller.send({ type: 'response.cancel' })
    const done = await caller.next('response.done', from)
    expect(response(done).status).toBe('cancelled')
    expect(response(done).usage?.output_tokens).toBeGreaterThan(0)
  })

  test('W1 barge-in: speech over an answer cancels it, and what was not heard is truncated', async () => {
    using caller = await connect()
    caller.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'speak for 60 s' }] },
    })
    caller.send({ type: 'response.create' })
    const delta = await caller.next('response.output_audio.delta')
    caller.speak(pcm(speech.weather))
    await caller.next('input_audio_buffer.speech_started')
    expect(response(await caller.next('response.done')).status).toBe('cancelled')
    caller.send({ type: 'conversation.item.truncate', item_id: delta.item_id, content_index: 0, audio_end_ms: 50 })
    expect(await caller.next('conversation.item.truncated')).toMatchObject({
      item_id: delta.item_id,
      audio_end_ms: 50,
    })
  })

  test('W1 a tool call and its result', async () => {
    using caller = await connect()
    const tools = [{ type: 'function', name: 'look_up', parameters: { type: 'object', properties: {} } }]
    caller.send({ type: 'session.update', session: { type: 'realtime', tools } })
    await caller.next('session.updated')
    await caller.ask('call look_up {"order":7}')
    const call = await caller.next('response.function_call_arguments.done')
    const from = caller.events.length
    caller.send({
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id: call.call_id, output: 'shipped' },
    })
    caller.send({ type: 'response.create' })
    expect(response(await caller.next('response.done', from)).status).toBe('completed')
  })

  test('W1 a response outside the conversation echoes its metadata as it was given', async () => {
    using caller = await connect()
    const metadata = { topic: 'classification', n: '1' }
    caller.send({
      type: 'response.create',
      response: { conversation: 'none', output_modalities: ['text'], metadata, instructions: 'say: yes' },
    })
    const done = await caller.next('response.done')
    expect(done.response).toMatchObject({ metadata, conversation_id: null })
  })

  test('W4 a mistake is answered by an error with the id of its event, and the session goes on', async () => {
    using caller = await connect()
    caller.send({ type: 'conversation.item.delete', event_id: 'mine', item_id: 'item_none' })
    expect((await caller.next('error')).error).toMatchObject({ event_id: 'mine', message: expect.any(String) })
    expect(response(await caller.ask('still there?')).status).toBe('completed')
  })

  test('W1 a transcription session', async () => {
    using caller = await connect('intent=transcription&model=gpt-transcribe')
    expect(caller.events[0]?.session).toMatchObject({
      type: 'transcription',
      audio: { input: { transcription: { model: 'gpt-transcribe' } } },
    })
    caller.speak(Buffer.concat([pcm(speech.weather), silence(1_000)]))
    await caller.next('conversation.item.input_audio_transcription.completed')
    expect(caller.of('response.created')).toEqual([])
  })
}
