import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { demo, LogLines, Parley } from '../support/parley.ts'

const fast = { timeout: '500ms', attempts: 3, backoff: { first: '10ms', longest: '40ms' } } as const

describe('reaching a provider', () => {
  let parley: Parley
  let spare: Parley
  const logged = new LogLines()
  beforeEach(async () => {
    logged.lines.length = 0
    spare = await Parley.start()
    const first = await Parley.start()
    parley = await Parley.start({
      log: logged.log,
      policy: {
        providers: {
          play: { type: 'openai', apiKey: 'sk-provider-secret', baseUrl: first.loopback.baseUrl, dial: fast },
          spare: { type: 'openai', apiKey: 'sk-provider-secret', baseUrl: spare.loopback.baseUrl, dial: fast },
          nowhere: { type: 'openai', apiKey: 'sk-provider-secret', baseUrl: 'http://127.0.0.1:9/v1', dial: fast },
          wrongKey: { type: 'openai', apiKey: 'sk-other', baseUrl: spare.loopback.baseUrl, dial: fast },
        },
        models: {
          'gpt-realtime': { provider: 'play', fallbacks: [{ provider: 'spare', model: 'gpt-realtime-spare' }] },
          lonely: { provider: 'nowhere', model: 'gpt-realtime' },
          barred: { provider: 'wrongKey', model: 'gpt-realtime' },
        },
      },
    })
    players.push(first)
  })
  const players: Parley[] = []
  afterEach(async () => {
    await parley[Symbol.asyncDispose]()
    await spare[Symbol.asyncDispose]()
    for (const player of players.splice(0)) await player[Symbol.asyncDispose]()
  })

  test.each([
    ['answers 503', { refuse: 503 }, 3],
    ['answers 429', { refuse: 429 }, 3],
    ['accepts and says nothing', { silent: 1 }, 3],
    ['answers 401', { refuse: 401 }, 1],
  ])(
    'W1 a provider that %s: its attempts, then the fallback, under its own model name',
    async (_, faults, attempts) => {
      const player = players[0] as Parley
      player.loopback.faults = faults
      using caller = await Caller.connect(parley.door(), demo.key)
      expect(player.loopback.upgrades.length).toBe(attempts)
      expect(spare.loopback.upgrades.at(-1)?.url).toContain('model=gpt-realtime-spare')
      // The caller sees the name it asked for.
      expect(caller.events[0]).toMatchObject({ session: { model: 'gpt-realtime' } })
    },
  )

  test('W4 no provider at all: an error the client understands, a close that says wait', async () => {
    using caller = new Caller(parley.door('model=lonely'), demo.key)
    expect((await caller.next('error')).error).toMatchObject({ code: 'upstream_unavailable', type: 'server_error' })
    expect((await caller.closed()).code).toBe(4104)
  })

  test('W4 a provider that refuses our key: nothing of it is told', async () => {
    using caller = new Caller(parley.door('model=barred'), demo.key)
    const error = await caller.next('error')
    expect(JSON.stringify(error)).not.toContain('sk-other')
    expect(error.error).toMatchObject({ code: 'upstream_unavailable' })
    expect(logged.lines.join('')).not.toContain('sk-other')
  })

  test('S4 a caller that leaves while the provider is dialled leaves nothing behind', async () => {
    const player = players[0] as Parley
    player.loopback.faults = { silent: 1 }
    const caller = new Caller(parley.door(), demo.key)
    await caller.opened()
    while (player.loopback.upgrades.length === 0) await new Promise(setImmediate)
    caller.vanish()
    while (player.loopback.live > 0) await new Promise(setImmediate)
    expect(spare.loopback.upgrades.length).toBe(0)
  })

  test.each([
    ['drops the line', { drop: 8 }, 4104, 'upstream_lost'],
    ['sends what is no JSON', { malformed: 8 }, null, null],
    ['sends every event twice', { duplicate: 3 }, null, null],
    ['sends a frame of 4 MiB', { oversized: 8 }, null, null],
  ])('S6 a provider that %s in the middle of a response', async (_, faults, code, reason) => {
    const player = players[0] as Parley
    player.loopback.faults = faults
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'speak for 2 s' }] },
    })
    caller.send({ type: 'response.create' })
    if (code === null) {
      await caller.next('response.done')
      expect(caller.closure).toBeNull()
    } else {
      expect((await caller.closed()).code).toBe(code)
      expect(caller.of('error').at(-1)?.error).toMatchObject({ code: reason })
    }
  })

  test("W4 a provider's own end of session is passed on as it says it", async () => {
    const player = players[0] as Parley
    player.loopback.faults = { expire: 300 }
    using caller = await Caller.connect(parley.door(), demo.key)
    await caller.closed()
    expect(caller.of('error').at(-1)?.error).toMatchObject({ code: 'session_expired' })
  })
})
