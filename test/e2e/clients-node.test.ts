import { readFileSync } from 'node:fs'
import OpenAI, { AzureOpenAI } from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { speech } from '../../fixtures/index.ts'
import { microphone, sentence } from '../support/microphone.ts'
import { demo, Parley } from '../support/parley.ts'

interface Told {
  error?: { code?: string | null; param?: string | null; event_id?: string | null }
}

/** The first error that the client surfaces, whatever it was about. */
function firstError(realtime: OpenAIRealtimeWS): Promise<Told> {
  const { promise, resolve } = Promise.withResolvers<Told>()
  realtime.on('error', (error) => resolve(error as unknown as Told))
  return promise
}

describe('the openai package for Node, unmodified, over TLS', () => {
  let parley: Parley
  let secureUrl: string
  let ca: Buffer
  beforeAll(async () => {
    parley = await Parley.start({ policy: { listeners: [{ port: 0 }, { port: 0, tls: 'self-signed' }] } })
    secureUrl = (parley.running.urls[1] as string).replace('127.0.0.1', 'localhost')
    ca = readFileSync(parley.running.certFile as string)
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  /** Speaks one sentence once the session is there; resolves with the answer's audio and its status. */
  async function converse(realtime: OpenAIRealtimeWS): Promise<{ status: string | undefined; heard: number }> {
    const { promise: done, resolve, reject } = Promise.withResolvers<{ status?: string }>()
    let heard = 0
    realtime.on('error', reject)
    realtime.on('response.output_audio.delta', (event) => {
      heard += Buffer.from(event.delta, 'base64').length
    })
    realtime.on('response.done', (event) => resolve(event.response as { status?: string }))
    await new Promise<void>((created) => realtime.on('session.created', () => created()))
    using _ = microphone(sentence(speech.weather), (piece) =>
      realtime.send({ type: 'input_audio_buffer.append', audio: piece.toString('base64') }),
    )
    const { status } = await done
    realtime.close()
    return { status, heard }
  }

  test('W1 a spoken conversation', async () => {
    const client = new OpenAI({ apiKey: demo.key, baseURL: `${secureUrl}/v1` })
    const { status, heard } = await converse(new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { ca } }, client))
    expect(status).toBe('completed')
    // More than a second of speech came back.
    expect(heard).toBeGreaterThan(48_000)
  })

  test('W1 the same through its client for Azure, with the key in a header of its own', async () => {
    const endpoint = secureUrl
    const client = new AzureOpenAI({ apiKey: demo.key, endpoint, apiVersion: '2025-08-28', deployment: 'gpt-realtime' })
    const { status } = await converse(await OpenAIRealtimeWS.azure(client, { options: { ca } }))
    expect(status).toBe('completed')
  })

  test('W1 a transcription session', async () => {
    const client = new OpenAI({ apiKey: demo.key, baseURL: `${secureUrl}/v1/` })
    const realtime = new OpenAIRealtimeWS({ intent: 'transcription', options: { ca } }, client)
    const { promise: transcribed, resolve, reject } = Promise.withResolvers<string>()
    realtime.on('error', reject)
    realtime.on('conversation.item.input_audio_transcription.completed', (event) => resolve(event.transcript))
    await new Promise<void>((created) => realtime.on('session.created', () => created()))
    using _ = microphone(sentence(speech.order), (piece) =>
      realtime.send({ type: 'input_audio_buffer.append', audio: piece.toString('base64') }),
    )
    expect(await transcribed).not.toBe('')
    realtime.close()
  })

  test('W4 a refusal is an error of its own kind, and with recovery on it is final', async () => {
    const client = new OpenAI({ apiKey: demo.key.replace(/.$/, '?'), baseURL: `${secureUrl}/v1` })
    const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', reconnect: true, options: { ca } }, client)
    let reconnects = 0
    realtime.on('reconnecting', () => {
      reconnects++
    })
    const { promise: closed, resolve } = Promise.withResolvers<number>()
    realtime.on('close', resolve)
    expect((await firstError(realtime)).error?.code).toBe('invalid_api_key')
    expect(await closed).toBe(4001)
    expect(reconnects).toBe(0)
  })

  test("W3 it mints client secrets in today's shape and in both older ones", async () => {
    const client = new OpenAI({ apiKey: demo.key, baseURL: `${parley.url}/v1` })
    const now = await client.realtime.clientSecrets.create({ session: { type: 'realtime', model: 'gpt-realtime' } })
    const older = await client.beta.realtime.sessions.create({ instructions: 'Sell shoes.', voice: 'ash' })
    const oldest = await client.beta.realtime.transcriptionSessions.create({ input_audio_format: 'pcm16' })
    for (const value of [now.value, older.client_secret.value, oldest.client_secret.value]) {
      expect(value).toMatch(/^ek_/)
    }
    const bearer = new OpenAI({ apiKey: older.client_secret.value, baseURL: `${secureUrl}/v1` })
    const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { ca } }, bearer)
    const session = await new Promise<{ instructions?: string }>((resolve) =>
      realtime.on('session.created', (event) => resolve(event.session as { instructions?: string })),
    )
    expect(session.instructions).toBe('Sell shoes.')
    realtime.close()
  })
})
