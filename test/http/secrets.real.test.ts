import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller, type Event } from '../support/caller.ts'
import { admin, demo, other, Parley } from '../support/parley.ts'

describe('the HTTP door', () => {
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start()
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  const post = (path: string, key: string, body?: object, headers = {}) =>
    fetch(`${parley.url}${path}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const get = (path: string, key: string) =>
    fetch(`${parley.url}${path}`, { headers: { Authorization: `Bearer ${key}` } })

  test('W3 a client secret opens one session, with its fields fixed', async () => {
    const response = await post('/v1/realtime/client_secrets', demo.key, {
      session: { type: 'realtime', model: 'gpt-realtime', instructions: 'Sell shoes.' },
      parley: { user: 'u-1' },
    })
    expect(response.status).toBe(200)
    const { value, expires_at, session } = (await response.json()) as {
      value: string
      expires_at: number
      session: Event
    }
    expect(value).toMatch(/^ek_/)
    expect(expires_at).toBeGreaterThan(Date.now() / 1_000)
    expect(session).toMatchObject({ type: 'realtime', object: 'realtime.session', instructions: 'Sell shoes.' })

    const protocols = ['realtime', `openai-insecure-api-key.${value}`]
    using caller = await Caller.connect(parley.door(''), '', { protocols })
    const created = caller.of('session.created')[0] as Event
    expect((created.session as { instructions: string }).instructions).toBe('Sell shoes.')
    caller.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Sell cars.' } })
    expect(((await caller.next('error')).error as { param: string }).param).toBe('session.instructions')

    using again = new Caller(parley.door(''), '', { protocols })
    expect(((await again.next('error')).error as { code: string }).code).toBe('invalid_api_key')
  })

  test('W3 ten callers at once with one secret: one gets in', async () => {
    const { value } = (await (await post('/v1/realtime/client_secrets', demo.key)).json()) as { value: string }
    const callers = Array.from({ length: 10 }, () => new Caller(parley.door(), value))
    const outcomes = await Promise.all(
      callers.map((caller) => caller.until((event) => event.type === 'session.created' || event.type === 'error')),
    )
    expect(outcomes.filter((event) => event.type === 'session.created').length).toBe(1)
    for (const caller of callers) caller[Symbol.dispose]()
  })

  test.each([
    ['a wrong key', 'nonsense', {}, 401, 'invalid_api_key'],
    ['a time out of bounds', demo.key, { expires_after: { seconds: 1 } }, 400, 'invalid_request'],
    ['an unknown model', demo.key, { session: { type: 'realtime', model: 'x' } }, 404, 'model_not_found'],
  ])("W3 minting with %s fails in OpenAI's shape", async (_, key, body, status, code) => {
    const response = await post('/v1/realtime/client_secrets', key, body)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error: { code, message: expect.any(String) } })
    expect(response.headers.get('x-request-id')).toBeTruthy()
  })

  test('V2 a session is seen by its tenant and the operator, not by another tenant, and can be ended', async () => {
    using caller = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { session_id } = (await caller.next('parley.session')) as unknown as { session_id: string }
    const seen = (await (await get(`/v1/sessions/${session_id}`, admin.key)).json()) as Event
    expect(seen).toMatchObject({ id: session_id, tenant: 'acme', phase: 'live', model: 'gpt-realtime' })
    expect((await get(`/v1/sessions/${session_id}`, other.key)).status).toBe(404)
    const mine = (await (await get('/v1/sessions', demo.key)).json()) as { data: Event[] }
    expect(mine.data.some((session) => session.id === session_id)).toBe(true)
    const theirs = (await (await get('/v1/sessions', other.key)).json()) as { data: Event[] }
    expect(theirs.data).toEqual([])
    expect((await post(`/v1/sessions/${session_id}/end`, other.key)).status).toBe(404)
    expect((await post(`/v1/sessions/${session_id}/end`, admin.key)).status).toBe(200)
    const ended = await caller.next('parley.session_ended')
    expect(ended.reason).toBe('ended_by_operator')
    expect((await caller.closed()).code).toBe(4015)
  })

  test('V4 health, readiness, metrics, and the document of all routes', async () => {
    expect((await fetch(`${parley.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${parley.url}/readyz`)).status).toBe(200)
    expect(await (await fetch(`${parley.url}/metrics`)).text()).toContain('parley_sessions_ended_total')
    const document = (await (await fetch(`${parley.url}/openapi.json`)).json()) as { paths: object }
    for (const path of ['/v1/realtime/client_secrets', '/v1/sessions', '/v1/sessions/{id}', '/v1/sessions/{id}/end']) {
      expect(Object.keys(document.paths)).toContain(path)
    }
    expect((await fetch(`${parley.url}/nowhere`)).status).toBe(404)
  })

  test('W3 a body that is no JSON, or too large, is told so', async () => {
    const send = (body: string) =>
      fetch(`${parley.url}/v1/realtime/client_secrets`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${demo.key}`, 'Content-Type': 'application/json' },
        body,
      })
    expect((await send('{')).status).toBe(400)
    expect((await send(`"${'x'.repeat(300_000)}"`)).status).toBe(413)
  })
})
