import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'

interface Minted {
  id: string
  object: string
  client_secret: { value: string; expires_at: number }
}

describe('minting for clients of every age', () => {
  const page = 'https://app.example'
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start({ policy: { door: { origins: [page] } } })
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  const post = (path: string, body: string | null, headers: Record<string, string> = {}) =>
    fetch(`${parley.url}${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${demo.key}`, 'Content-Type': 'application/json', ...headers },
      body,
    })

  test('W3 the older endpoint for conversations mints in its own shape what opens a GA session', async () => {
    const asked = {
      model: 'gpt-realtime',
      modalities: ['audio', 'text'],
      instructions: 'Sell shoes.',
      voice: 'ash',
      input_audio_format: 'g711_ulaw',
      turn_detection: { type: 'server_vad', silence_duration_ms: 700 },
      max_response_output_tokens: 300,
      temperature: 0.8,
      client_secret: { expires_after: { anchor: 'created_at', seconds: 60 } },
    }
    const response = await post('/v1/realtime/sessions', JSON.stringify(asked))
    expect(response.status).toBe(200)
    const minted = (await response.json()) as Minted
    expect(minted).toMatchObject({ object: 'realtime.session', instructions: 'Sell shoes.', voice: 'ash' })
    expect(minted.id).toMatch(/^sess_/)
    expect(minted.client_secret.expires_at - Date.now() / 1_000).toBeLessThan(61)

    using caller = await Caller.connect(parley.door(''), minted.client_secret.value)
    expect(caller.of('session.created')[0]?.session).toMatchObject({
      type: 'realtime',
      instructions: 'Sell shoes.',
      output_modalities: ['audio'],
      max_output_tokens: 300,
      audio: {
        input: { format: { type: 'audio/pcmu' }, turn_detection: { silence_duration_ms: 700 } },
        output: { voice: 'ash' },
      },
    })
  })

  test('W3 the older endpoint for transcriptions', async () => {
    const asked = {
      input_audio_format: 'pcm16',
      input_audio_transcription: { model: 'gpt-transcribe', language: 'en' },
    }
    const response = await post('/v1/realtime/transcription_sessions', JSON.stringify(asked))
    const minted = (await response.json()) as Minted
    expect(minted.object).toBe('realtime.transcription_session')
    using caller = await Caller.connect(parley.door('intent=transcription'), minted.client_secret.value)
    expect(caller.of('session.created')[0]?.session).toMatchObject({
      type: 'transcription',
      audio: { input: { transcription: { model: 'gpt-transcribe', language: 'en' } } },
    })
  })

  test.each([
    ['/v1/realtime/sessions', { model: 'gpt-9' }, 404, 'model_not_found'],
    ['/v1/realtime/transcription_sessions', { input_audio_transcription: { model: 'gpt-9' } }, 404, 'model_not_found'],
    ['/v1/realtime/sessions', { client_secret: { expires_after: { seconds: 1 } } }, 400, 'invalid_request'],
  ])('W3 %s with %j is refused', async (path, body, status, code) => {
    const response = await post(path, JSON.stringify(body))
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error: { code } })
  })

  test("W3 Azure's address and header", async () => {
    const response = await post('/openai/v1/realtime/client_secrets', '{}', { Authorization: '', 'api-key': demo.key })
    expect(((await response.json()) as { value: string }).value).toMatch(/^ek_/)
  })

  test.each(['/v1/realtime/client_secrets', '/v1/realtime/sessions'])(
    'W3 %s takes no body at all, and never leaves one unread',
    async (path) => {
      const bare = await fetch(`${parley.url}${path}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${demo.key}` },
      })
      expect(bare.status).toBe(200)
      // What `curl -d` sends: taken for no body, its locked fields would be missing from the secret.
      const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
      const response = await post(path, '{"session":{"type":"realtime","instructions":"Sell shoes."}}', form)
      expect(response.status).toBe(400)
      expect(((await response.json()) as { error: { message: string } }).error.message).toContain('application/json')
      expect((await post(path, '{}', { 'Content-Type': 'application/json; charset=utf-8' })).status).toBe(200)
    },
  )

  test('W3 an allowed page may send whatever headers its client has, and reads errors too', async () => {
    const path = `${parley.url}/v1/realtime/client_secrets`
    const asked = 'authorization,content-type,x-stainless-arch,x-stainless-lang'
    const preflight = await fetch(path, {
      method: 'OPTIONS',
      headers: { Origin: page, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': asked },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe(page)
    expect(preflight.headers.get('access-control-allow-headers')).toBe(asked)
    const refused = await fetch(path, { method: 'POST', headers: { Origin: page, Authorization: 'Bearer nonsense' } })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('access-control-allow-origin')).toBe(page)
    expect(refused.headers.get('vary')).toContain('Origin')
  })

  test('W3 another page is told nothing', async () => {
    const path = `${parley.url}/v1/realtime/client_secrets`
    for (const method of ['OPTIONS', 'POST']) {
      const response = await fetch(path, { method, headers: { Origin: 'https://evil.example' } })
      expect(response.ok).toBe(false)
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
    }
  })
})
