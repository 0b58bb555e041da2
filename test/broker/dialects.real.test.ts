import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'

/** The ways in which clients of different makers say the same thing. */
describe('dialects of the live door', () => {
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start()
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  const at = (target: string) => `${parley.url.replace('http', 'ws')}${target}`

  async function mint(body: object): Promise<string> {
    const response = await fetch(`${parley.url}/v1/realtime/client_secrets`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${demo.key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    return ((await response.json()) as { value: string }).value
  }

  test.each([
    '/v1/realtime?model=gpt-realtime',
    '/v1/realtime/?model=gpt-realtime',
    '/v1//realtime?model=gpt-realtime',
    '//v1/realtime?model=gpt-realtime',
    '/openai/v1/realtime?model=gpt-realtime',
    '/v1/realtime?model=gpt%2Drealtime&unknown=1',
    '/v1/realtime?model=gpt-realtime&intent=',
  ])('W1 %s opens a conversation', async (target) => {
    using caller = await Caller.connect(at(target), demo.key)
    expect(caller.of('session.created')[0]?.session).toMatchObject({ type: 'realtime', model: 'gpt-realtime' })
  })

  test.each([
    'intent=transcription',
    'intent=transcription&model=',
    'intent=transcription&model=gpt-transcribe',
    'model=gpt-transcribe',
  ])('W1 ?%s opens a transcription session', async (query) => {
    using caller = await Caller.connect(parley.door(query), demo.key)
    expect(caller.of('session.created')[0]?.session).toMatchObject({ type: 'transcription' })
  })

  test.each(['//', '///', '/v1/realtimes', '/%', '/v1/realtime%2f', '*', 'http://x y/', '/v1/realtime\\..'])(
    'W4 a request for %j is refused by HTTP status and harms nobody',
    async (target) => {
      using healthy = await Caller.connect(parley.door(), demo.key)
      const socket = connect(Number(new URL(parley.url).port), '127.0.0.1')
      const lines = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
      socket.write(
        `GET ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      )
      const [answer] = (await once(socket, 'data')) as [Buffer]
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 40[04] /)
      socket.destroy()
      await healthy.ask('hello')
    },
  )

  test('W4 the beta header is taken and goes no further, nor does anything else of the caller', async () => {
    const headers = { 'OpenAI-Beta': 'realtime=v1', 'OpenAI-Organization': 'org_1', 'x-mine': '1', Cookie: 'a=b' }
    using caller = await Caller.connect(parley.door(), demo.key, { headers })
    expect(caller.of('session.created').length).toBe(1)
    const sent = Object.keys(parley.loopback.upgrades.at(-1)?.headers ?? {})
    expect(sent).toContain('upgrade')
    for (const name of ['openai-beta', 'openai-organization', 'x-mine', 'cookie', 'origin', 'sec-websocket-protocol']) {
      expect(sent).not.toContain(name)
    }
  })

  const key = `openai-insecure-api-key.${demo.key}`
  test.each([
    ['key, organization and project', ['realtime', key, 'openai-organization.org_1', 'openai-project.proj_1']],
    ['the key first', [key, 'realtime']],
    ['the beta form', ['realtime', key, 'openai-beta.realtime-v1']],
    ['the version of an SDK', ['realtime', key, 'openai-agents-sdk.0.20.0']],
  ])('W3 subprotocols with %s: realtime is selected', async (_, protocols) => {
    using caller = await Caller.connect(parley.door(), '', { protocols })
    expect(caller.socket.protocol).toBe('realtime')
  })

  test('W3 no subprotocol is selected where none was offered', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    expect(caller.socket.protocol).toBe('')
  })

  test.each([
    ["Azure's header", { 'api-key': demo.key }],
    ['a scheme in small letters', { Authorization: `bearer ${demo.key}` }],
    ['more than one space', { Authorization: `Bearer  ${demo.key}` }],
  ])('W3 a key in %s', async (_, headers) => {
    using caller = await Caller.connect(parley.door(), '', { headers })
    expect(caller.of('session.created').length).toBe(1)
  })

  test('W3 a client secret in any place where a key may be', async () => {
    const value = await mint({ session: { type: 'realtime', model: 'gpt-realtime' }, parley: { uses: 3 } })
    using bearer = await Caller.connect(parley.door(''), value)
    using azure = await Caller.connect(parley.door(''), '', { headers: { 'api-key': value } })
    const protocols = ['realtime', `openai-insecure-api-key.${value}`]
    using browser = await Caller.connect(parley.door(''), '', { protocols })
    expect([bearer, azure, browser].map((caller) => caller.of('session.created').length)).toEqual([1, 1, 1])
    // Three uses were minted.
    using fourth = new Caller(parley.door(''), value)
    expect((await fourth.next('error')).error).toMatchObject({ code: 'invalid_api_key' })
  })

  test('W3 a caller that is refused for what it asked has not used its secret up', async () => {
    const value = await mint({})
    using wrong = new Caller(parley.door('model=gpt-9'), value)
    expect((await wrong.next('error')).error).toMatchObject({ code: 'model_not_found' })
    using right = await Caller.connect(parley.door(), value)
    expect(right.of('session.created').length).toBe(1)
  })

  test('W1 compression that is offered is declined, and the conversation goes on without', async () => {
    // `ws` offers it unless told otherwise, as browsers do; the parameters are those of Python's clients.
    const offer = { perMessageDeflate: { serverMaxWindowBits: 12, clientMaxWindowBits: 12 } }
    using caller = await Caller.connect(parley.door(), demo.key, offer)
    expect(caller.socket.extensions).toBe('')
    expect((await caller.ask('hello')).response).toMatchObject({ status: 'completed' })
  })

  test('S7 callers held back by their refusal do not hold up the end of the node', async () => {
    const brief = await Parley.start()
    const callers = Array.from({ length: 8 }, () => new Caller(brief.door('model=gpt-9'), demo.key))
    await Promise.all(callers.map((caller) => caller.next('error')))
    const begun = performance.now()
    await brief[Symbol.asyncDispose]()
    for (const caller of callers) expect((await caller.closed()).code).toBe(4000)
    // The longest of them would have been held for 32 s.
    expect(performance.now() - begun).toBeLessThan(10_000)
  })
})
