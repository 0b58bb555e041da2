import { readFileSync } from 'node:fs'
import { initializeLogger, type llm } from '@livekit/agents'
import * as livekit from '@livekit/agents-plugin-openai'
import { AudioFrame } from '@livekit/rtc-node'
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime'
import OpenAI from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import { demo, Parley } from '../support/parley.ts'

const spoken = Buffer.concat([pcm(speech.weather), silence(1_200)])

/** Pieces of 100 ms as a microphone gives them, in real time. */
function microphone(sound: Buffer, give: (piece: Buffer) => void): void {
  let at = 0
  const timer = setInterval(() => {
    if (at >= sound.length) return clearInterval(timer)
    give(sound.subarray(at, at + 4_800))
    at += 4_800
  }, 100)
}

describe('real clients, unmodified', () => {
  let parley: Parley
  let secureUrl: string
  let ca: Buffer
  beforeAll(async () => {
    parley = await Parley.start({ policy: { listeners: [{ port: 0 }, { port: 0, tls: 'self-signed' }] } })
    secureUrl = (parley.running.urls[1] as string).replace('127.0.0.1', 'localhost')
    ca = readFileSync(parley.running.certFile as string)
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  test('W1 the openai package for Node holds a spoken conversation over TLS', async () => {
    const client = new OpenAI({ apiKey: demo.key, baseURL: `${secureUrl}/v1` })
    const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { ca } }, client)
    const { promise: done, resolve, reject } = Promise.withResolvers<{ status?: string }>()
    const heard: Buffer[] = []
    realtime.on('error', reject)
    realtime.on('session.created', () =>
      microphone(spoken, (piece) =>
        realtime.send({ type: 'input_audio_buffer.append', audio: piece.toString('base64') }),
      ),
    )
    realtime.on('response.output_audio.delta', (event) => heard.push(Buffer.from(event.delta, 'base64')))
    realtime.on('response.done', (event) => resolve(event.response as { status?: string }))
    expect((await done).status).toBe('completed')
    expect(Buffer.concat(heard).length).toBeGreaterThan(48_000)
    realtime.close()
  })

  test('W4 the openai package hears a refusal as an error of its own kind', async () => {
    const client = new OpenAI({ apiKey: demo.key.replace(/.$/, '?'), baseURL: `${secureUrl}/v1` })
    const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { ca } }, client)
    const { promise, resolve } = Promise.withResolvers<{ error?: { code?: string | null } }>()
    realtime.on('error', (error) => resolve(error as never))
    expect((await promise).error?.code).toBe('invalid_api_key')
    realtime.close()
  })

  test('W3 the openai package mints client secrets', async () => {
    const client = new OpenAI({ apiKey: demo.key, baseURL: `${parley.url}/v1` })
    const secret = await client.realtime.clientSecrets.create({ session: { type: 'realtime', model: 'gpt-realtime' } })
    expect(secret.value).toMatch(/^ek_/)
  })

  test('W1 the agents SDK: a tool call, then barge-in with truncation', { timeout: 60_000 }, async () => {
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
    const agent = new RealtimeAgent({ name: 'clerk', instructions: '', tools: [lookUp] })
    const transport = new OpenAIRealtimeWebSocket({ url: parley.door() })
    const session = new RealtimeSession(agent, { transport, model: 'gpt-realtime' })
    const errors: unknown[] = []
    session.on('error', (error) => errors.push(error))
    const types: string[] = []
    const { promise: truncated, resolve: sawTruncation } = Promise.withResolvers<void>()
    let onDone = () => {}
    session.on('transport_event', (event) => {
      types.push(event.type)
      if (!event.type.includes('delta'))
        console.log(
          event.type,
          event.type.startsWith('resp') || event.type === 'error' ? JSON.stringify(event).slice(0, 400) : '',
        )
      if (event.type === 'conversation.item.truncated') sawTruncation()
      if (event.type === 'response.done') onDone()
    })
    await session.connect({ apiKey: demo.key })

    const { promise: answered, resolve: sawAnswer } = Promise.withResolvers<void>()
    let responses = 0
    onDone = () => {
      responses++
      if (responses === 2) sawAnswer()
    }
    session.sendMessage('call look_up {"order":7}')
    await answered
    expect(asked).toEqual([{ order: 7 }])

    onDone = () => undefined
    const { promise: speaking, resolve: isSpeaking } = Promise.withResolvers<void>()
    session.on('audio', () => isSpeaking())
    session.sendMessage('speak for 60 s')
    await speaking
    microphone(spoken, (piece) => {
      const copy = new ArrayBuffer(piece.length)
      new Uint8Array(copy).set(piece)
      session.sendAudio(copy)
    })
    await truncated
    session.close()
    expect(types).toContain('input_audio_buffer.speech_started')
    expect(errors).toEqual([])
  })

  test('W1 the LiveKit plug-in: a spoken turn and its answer', { timeout: 60_000 }, async () => {
    initializeLogger({ pretty: false, level: 'silent' })
    const model = new livekit.realtime.RealtimeModel({
      apiKey: demo.key,
      baseURL: `${parley.url}/v1`,
      model: 'gpt-realtime',
      turnDetection: {
        type: 'server_vad',
        threshold: 0.5,
        prefix_padding_ms: 300,
        silence_duration_ms: 400,
        create_response: true,
        interrupt_response: true,
      },
    })
    const session = model.session()
    const { promise: generated, resolve } = Promise.withResolvers<llm.GenerationCreatedEvent>()
    session.on('generation_created', resolve)
    const errors: unknown[] = []
    session.on('error', (error: unknown) => errors.push(error))
    await session.updateInstructions('Be brief.')
    microphone(spoken, (piece) => {
      const samples = new Int16Array(piece.length / 2)
      for (let i = 0; i < samples.length; i++) samples[i] = piece.readInt16LE(i * 2)
      session.pushAudio(new AudioFrame(samples, 24_000, 1, samples.length))
    })
    const generation = await generated
    let samples = 0
    for await (const message of generation.messageStream) {
      for await (const frame of message.audioStream) samples += frame.samplesPerChannel
    }
    expect(samples).toBeGreaterThan(24_000)
    expect(errors).toEqual([])
    await session.close()
  })
})
