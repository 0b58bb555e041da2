import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keyId, makeKey } from '../../src/auth/keys.ts'
import { Caller, type Event } from '../support/caller.ts'
import { admin, demo, LogLines, other, Parley } from '../support/parley.ts'

const errorOf = (event: Event) =>
  event.error as { code: string; message: string; param: string | null; event_id: string | null }

async function statusOf(caller: Caller): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  caller.socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
  return promise
}

describe('the live door', () => {
  const logged = new LogLines()
  const gone = makeKey('test', '')
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start({
      log: logged.log,
      policy: {
        door: { origins: ['https://app.example'] },
        plans: {
          default: {},
          small: { maxOutputTokens: 100, tools: false, locked: ['instructions'], models: ['gpt-realtime'] },
        },
        tenants: {
          acme: { keys: [{ id: keyId(demo.key) ?? '', hash: demo.hash }] },
          zenith: { plan: 'small', keys: [{ id: keyId(other.key) ?? '', hash: other.hash }] },
          closed: { suspended: true, keys: [{ id: keyId(gone.key) ?? '', hash: gone.hash }] },
        },
      },
    })
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  test.each([
    ['a wrong key', 'model=gpt-realtime', 'sk_test_aaaaaaaa_x', 'invalid_api_key', 4001],
    ['no key', 'model=gpt-realtime', '', 'invalid_api_key', 4001],
    ['a made-up client secret', 'model=gpt-realtime', 'ek_123', 'invalid_api_key', 4001],
    ['no model', '', demo.key, 'missing_model', 4000],
    ['an unknown model', 'model=gpt-9', demo.key, 'model_not_found', 4000],
    ['a model outside the plan', 'model=gpt-transcribe', other.key, 'model_not_found', 4000],
    ['an unknown intent', 'intent=dance', demo.key, 'invalid_intent', 4000],
    ['a suspended account', 'model=gpt-realtime', gone.key, 'account_deactivated', 4013],
    ['a foreign resume token', 'model=gpt-realtime', `prt_abc_${'a'.repeat(43)}`, 'session_not_found', 4004],
  ])(
    'W4 %s: the upgrade stands, then an error a client understands, then a close',
    async (_, query, key, code, close) => {
      using caller = new Caller(parley.door(query), key)
      const error = errorOf(await caller.next('error'))
      expect(error.code).toBe(code)
      expect(typeof error.message).toBe('string')
      expect((await caller.closed()).code).toBe(close)
      expect(parley.loopback.live).toBe(0)
    },
  )

  test('W4 each further refusal of the same caller is held longer, so that no client can storm', async () => {
    const waits: number[] = []
    for (let i = 0; i < 3; i++) {
      const begun = performance.now()
      using caller = new Caller(parley.door('model=storm'), other.key)
      await caller.closed()
      waits.push(performance.now() - begun)
    }
    expect(waits[1]).toBeGreaterThan((waits[0] as number) * 1.2)
    expect(waits[2]).toBeGreaterThan((waits[1] as number) * 1.2)
  })

  test('W3 a foreign page is refused by HTTP status, before the upgrade', async () => {
    using caller = new Caller(parley.door(), demo.key, { headers: { Origin: 'https://evil.example' } })
    expect(await statusOf(caller)).toBe(403)
    using friend = await Caller.connect(parley.door(), demo.key, { headers: { Origin: 'https://app.example' } })
    expect(friend.of('session.created').length).toBe(1)
  })

  test('W3 the browser form: realtime is selected, the key is never echoed', async () => {
    const protocols = ['realtime', `openai-insecure-api-key.${demo.key}`, 'openai-beta.realtime-v1']
    using caller = await Caller.connect(parley.door(), '', { protocols })
    expect(caller.socket.protocol).toBe('realtime')
  })

  test('W5 only those who asked hear parley events', async () => {
    using plain = await Caller.connect(parley.door(), demo.key)
    using asked = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    using byProtocol = await Caller.connect(parley.door(), demo.key, { protocols: ['realtime', 'parley.v1'] })
    await asked.next('parley.session')
    await byProtocol.next('parley.session')
    await plain.ask('hello')
    expect(plain.events.some((event) => event.type.startsWith('parley.'))).toBe(false)
  })

  test.each([
    [
      { type: 'session.update', event_id: 'mine', session: { type: 'realtime', max_output_tokens: 'inf' } },
      'session.max_output_tokens',
    ],
    [
      { type: 'session.update', event_id: 'mine', session: { type: 'realtime', instructions: 'x' } },
      'session.instructions',
    ],
    [
      { type: 'response.create', event_id: 'mine', response: { tools: [{ type: 'function', name: 'f' }] } },
      'response.tools',
    ],
  ])('W6 what the plan does not allow is refused by name, with the id of the event', async (event, param) => {
    using caller = await Caller.connect(parley.door(), other.key)
    caller.send(event)
    expect(errorOf(await caller.next('error'))).toMatchObject({ param, event_id: 'mine' })
    const created = caller.of('session.created')[0] as Event
    expect((created.session as { max_output_tokens: number }).max_output_tokens).toBe(100)
    // The session goes on.
    await caller.ask('hello')
  })

  test('W6 a field cannot be smuggled past in a second key', async () => {
    using caller = await Caller.connect(parley.door(), other.key)
    caller.send(
      '{"type":"input_audio_buffer.append","audio":"AAAA","type":"session.update","session":{"type":"realtime","instructions":"x"}}',
    )
    expect(errorOf(await caller.next('error')).code).toBe('invalid_event')
  })

  test('W1 session.created shows the model asked for and the cap of the plan', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    const { session } = caller.of('session.created')[0] as unknown as { session: { model: string; expires_at: number } }
    expect(session.model).toBe('gpt-realtime')
    expect(Math.abs(session.expires_at - Date.now() / 1_000 - 1_800)).toBeLessThan(30)
  })

  test('W4 a flood of one address is refused by HTTP status', async () => {
    await using busy = await Parley.start({ policy: { door: { socketsPerAddress: 2 } } })
    using first = await Caller.connect(busy.door(), demo.key)
    using second = await Caller.connect(busy.door(), demo.key)
    using third = new Caller(busy.door(), demo.key)
    expect(await statusOf(third)).toBe(429)
    expect([first, second].every((caller) => caller.closure === null)).toBe(true)
  })

  test('V4 no key, secret or speech is ever logged', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    await caller.ask('the secret word is swordfish')
    caller.socket.close()
    await caller.closed()
    const all = logged.lines.join('\n')
    expect(all).toContain('session admitted')
    for (const secret of [demo.key, other.key, admin.key, 'sk-provider-secret', 'swordfish'])
      expect(all).not.toContain(secret)
  })
})
