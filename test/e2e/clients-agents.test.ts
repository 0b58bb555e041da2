import {
  OpenAIRealtimeWebSocket,
  RealtimeAgent,
  RealtimeSession,
  type TransportEvent,
  tool,
} from '@openai/agents-realtime'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { speech } from '../../fixtures/index.ts'
import { microphone, sentence } from '../support/microphone.ts'
import { demo, Parley } from '../support/parley.ts'

/** An agents SDK session over its own WebSocket transport, and everything that it heard. */
class Agent implements Disposable {
  readonly session: RealtimeSession
  readonly events: TransportEvent[] = []
  readonly errors: unknown[] = []
  #wake = Promise.withResolvers<void>()

  constructor(url: string, agent: RealtimeAgent) {
    const transport = new OpenAIRealtimeWebSocket({ url })
    this.session = new RealtimeSession(agent, { transport, model: 'gpt-realtime' })
    this.session.on('error', (error) => this.errors.push(error))
    this.session.on('transport_event', (event) => {
      this.events.push(event)
      this.#wake.resolve()
      this.#wake = Promise.withResolvers()
    })
  }

  /** The `nth` event of a type, as it came. */
  async next(type: string, nth = 1): Promise<TransportEvent & Record<string, unknown>> {
    for (;;) {
      const found = this.events.filter((event) => event.type === type)[nth - 1]
      if (found !== undefined) return found as TransportEvent & Record<string, unknown>
      await this.#wake.promise
    }
  }

  speak(sound: Buffer): Disposable {
    return microphone(sound, (piece) => {
      const copy = new ArrayBuffer(piece.length)
      new Uint8Array(copy).set(piece)
      this.session.sendAudio(copy)
    })
  }

  [Symbol.dispose](): void {
    this.session.close()
  }
}

const statusOf = (event: Record<string, unknown>) => (event.response as { status: string }).status

describe('the agents SDK, unmodified, over its WebSocket transport', () => {
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start()
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  test('W1 a tool call and its answer', async () => {
    const asked: unknown[] = []
    const lookUp = tool({
      name: 'look_up',
      description: 'Looks up an order',
      parameters: z.object({ order: z.number() }),
      execute: async (args) => {
        asked.push(args)
        return 'shipped'
      },
    })
    using agent = new Agent(parley.door(), new RealtimeAgent({ name: 'clerk', instructions: '', tools: [lookUp] }))
    await agent.session.connect({ apiKey: demo.key })
    agent.session.sendMessage('call look_up {"order":7}')
    expect(statusOf(await agent.next('response.done', 2))).toBe('completed')
    expect(asked).toEqual([{ order: 7 }])
    expect(agent.errors).toEqual([])
  })

  test('W1 barge-in: speech over an answer cuts it, and what was not heard is truncated', async () => {
    using agent = new Agent(parley.door(), new RealtimeAgent({ name: 'clerk', instructions: '' }))
    await agent.session.connect({ apiKey: demo.key })
    const speaking = new Promise<void>((resolve) => agent.session.on('audio', () => resolve()))
    agent.session.sendMessage('speak for 60 s')
    await speaking
    using _ = agent.speak(sentence(speech.weather))
    await agent.next('input_audio_buffer.speech_started')
    expect(statusOf(await agent.next('response.done'))).toBe('cancelled')
    const truncated = await agent.next('conversation.item.truncated')
    expect(truncated.audio_end_ms).toBeLessThan(60_000)
    // The sentence itself is answered.
    expect(statusOf(await agent.next('response.done', 2))).toBe('completed')
    expect(agent.errors).toEqual([])
  })

  test('W1 a text turn, its usage, tracing switched on, an interruption by the program, and a quiet end', async () => {
    const live = parley.loopback.live
    const agent = new Agent(parley.door(), new RealtimeAgent({ name: 'clerk', instructions: 'Be brief.' }))
    await agent.session.connect({ apiKey: demo.key })
    // Its first update is its configuration, the second, after `session.created`, asks for tracing.
    const configured = (await agent.next('session.updated')).session as Record<string, unknown>
    expect(configured).toMatchObject({ instructions: expect.stringContaining('Be brief.'), model: 'gpt-realtime' })
    const traced = (await agent.next('session.updated', 2)).session as Record<string, unknown>
    expect(traced.tracing).not.toBeNull()

    const idle = new Promise<void>((resolve) => agent.session.on('agent_end', () => resolve()))
    agent.session.sendMessage('say: hello')
    expect(statusOf(await agent.next('response.done'))).toBe('completed')
    await idle
    expect(agent.session.usage.inputTokens).toBeGreaterThan(0)
    expect(agent.session.usage.outputTokens).toBeGreaterThan(0)
    expect(agent.session.history.length).toBe(2)

    const speaking = new Promise<void>((resolve) => agent.session.on('audio', () => resolve()))
    agent.session.sendMessage('speak for 60 s')
    await speaking
    agent.session.interrupt()
    expect(statusOf(await agent.next('response.done', 2))).toBe('cancelled')
    expect(agent.errors).toEqual([])

    const gone = new Promise<void>((resolve) =>
      agent.session.transport.on('connection_change', (status) => {
        if (status === 'disconnected') resolve()
      }),
    )
    agent.session.close()
    await gone
    await expect.poll(() => parley.loopback.live, { timeout: 10_000 }).toBe(live)
  })

  test('W3 what it sends of its own accord is no change of a secret that fixes the same', async () => {
    const client = new OpenAI({ apiKey: demo.key, baseURL: `${parley.url}/v1` })
    const { value } = await client.realtime.clientSecrets.create({
      session: { type: 'realtime', model: 'gpt-realtime', instructions: 'Be brief.' },
      ...{ parley: { unlocked: ['tracing'] } },
    })
    using agent = new Agent(parley.door(), new RealtimeAgent({ name: 'clerk', instructions: 'Be brief.' }))
    await agent.session.connect({ apiKey: value })
    agent.session.sendMessage('say: hello')
    expect(statusOf(await agent.next('response.done'))).toBe('completed')
    expect(agent.errors).toEqual([])
  })
})
