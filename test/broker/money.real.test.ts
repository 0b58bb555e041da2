import { afterEach, describe, expect, test } from 'vitest'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import { Caller, type Event } from '../support/caller.ts'
import { admin, demo, Parley } from '../support/parley.ts'

type Plan = NonNullable<PolicyInput['plans']>[string]

const spoken = Buffer.concat([pcm(speech.weather), silence(1_200)])

/** Cost of everything the provider has billed, by the prices of gpt-realtime: dollars per million tokens, as nano-dollars. */
function billed(parley: Parley): number {
  return parley.loopback.bills.reduce((sum, bill) => {
    if (bill.kind !== 'response') return sum
    const { input_token_details: read, output_token_details: wrote } = bill.usage
    const cached = read.cached_tokens_details
    return (
      sum +
      (read.text_tokens - cached.text_tokens) * 4_000 +
      cached.text_tokens * 400 +
      (read.audio_tokens - cached.audio_tokens) * 32_000 +
      cached.audio_tokens * 400 +
      (read.image_tokens - cached.image_tokens) * 5_000 +
      cached.image_tokens * 500 +
      wrote.text_tokens * 16_000 +
      wrote.audio_tokens * 64_000
    )
  }, 0)
}

describe('money', () => {
  let parley: Parley
  afterEach(() => parley[Symbol.asyncDispose]())

  const start = async (plan: Plan, more: Partial<PolicyInput> = {}) => {
    parley = await Parley.start({ ledger: true, policy: { plans: { default: plan }, ...more } })
    return parley
  }
  const connect = () => Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
  const get = async (path: string, key = admin.key) => {
    const answer = await fetch(`${parley.url}${path}`, { headers: { Authorization: `Bearer ${key}` } })
    return (await answer.json()) as Record<string, unknown>
  }
  /** What the ledger says, once everything booked has reached it. */
  const booked = async (expected: number) => {
    for (;;) {
      const { data } = (await get('/v1/usage?group_by=tenant')) as { data: { cost: { nano: number } }[] }
      const sum = data.reduce((all, row) => all + row.cost.nano, 0)
      if (sum >= expected) return sum
      await new Promise(setImmediate)
    }
  }

  test('M3 every response is told, booked and shown to the nano-dollar that the provider counted', async () => {
    await start({})
    using caller = await connect()
    await caller.ask('say: one')
    await caller.ask('say: two')
    const sounds = caller.events.length
    caller.speak(spoken)
    await caller.next('response.done', sounds)
    while (caller.of('parley.usage').length < 3) await caller.next('parley.usage', caller.events.length)
    const told = caller.of('parley.usage')
    const sum = told.reduce((all, event) => all + Number(event.cost_nano_usd), 0)
    expect(sum).toBe(billed(parley))
    expect(told.at(-1)?.session_cost_nano_usd).toBe(sum)
    expect(await booked(sum)).toBe(sum)
    const { data } = (await get('/v1/sessions', demo.key)) as { data: { usage: { cost_nano_usd: number } }[] }
    expect(data[0]?.usage.cost_nano_usd).toBe(sum)
  })

  test('M3 what writing down a turn costs is booked, also where nothing limits the session', async () => {
    await start({})
    using caller = await connect()
    const audio = { input: { transcription: { model: 'gpt-4o-transcribe' } } }
    caller.send({ type: 'session.update', session: { type: 'realtime', audio } })
    await caller.next('session.updated')
    caller.speak(spoken)
    const told = await caller.until((event) => event.type === 'parley.usage' && event.kind === 'transcription')
    expect(told).toMatchObject({ estimated: false })
    const bill = parley.loopback.bills.find(({ kind }) => kind === 'transcription')
    const { input_tokens, output_tokens } = (bill?.usage ?? {}) as { input_tokens: number; output_tokens: number }
    // $6 and $10 per million tokens of gpt-4o-transcribe.
    expect(told.cost_nano_usd).toBe(input_tokens * 6_000 + output_tokens * 10_000)
  })

  test('M2 a model without a price is refused, not free', async () => {
    await start({}, { models: { mystery: { provider: 'play' } } })
    using caller = new Caller(parley.door('model=mystery'), demo.key)
    expect((await caller.next('error')).error).toMatchObject({ code: 'invalid_model', param: 'model' })
    expect(parley.loopback.upgrades.length).toBe(0)
  })

  test('M2 a transcription model without a price is refused by name', async () => {
    await start({})
    using caller = await connect()
    const audio = { input: { transcription: { model: 'mystery-transcribe' } } }
    caller.send({ type: 'session.update', event_id: 'mine', session: { type: 'realtime', audio } })
    const { error } = (await caller.next('error')) as unknown as { error: Event }
    expect(error).toMatchObject({ event_id: 'mine', param: 'session.audio.input.transcription.model' })
  })

  test('L3 so many updates that the provider does not answer are taken, and not one more; those that it answers are', async () => {
    await start({ limits: { session: { budget: '$1' } } })
    parley.loopback.faults = { stall: 1 }
    using stalled = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    await stalled.next('parley.session')
    parley.loopback.faults = {}
    const updates = (caller: Caller, from: number, to: number) => {
      for (let i = from; i <= to; i++)
        caller.send({ type: 'session.update', event_id: `update ${i}`, session: { type: 'realtime' } })
    }
    updates(stalled, 1, 66)
    await stalled.until(() => stalled.of('error').length === 2)
    expect(stalled.of('error').map(({ error }) => error)).toMatchObject([
      { event_id: 'update 65', code: 'rate_limit_exceeded' },
      { event_id: 'update 66', code: 'rate_limit_exceeded' },
    ])

    using answered = await connect()
    for (let round = 0; round < 3; round++) {
      updates(answered, 1, 40)
      await answered.until(() => answered.of('session.updated').length === 40 * (round + 1))
    }
    expect(answered.of('error')).toEqual([])
  })

  test('W6 the model of a session cannot be changed, and its own name is no change', async () => {
    await start({})
    using caller = await connect()
    caller.send({ type: 'session.update', event_id: 'a', session: { type: 'realtime', model: 'gpt-realtime-mini' } })
    expect((await caller.next('error')).error).toMatchObject({ event_id: 'a', param: 'session.model' })
    caller.send({ type: 'session.update', session: { type: 'realtime', model: 'gpt-realtime' } })
    expect((await caller.next('session.updated')).session).toMatchObject({ model: 'gpt-realtime' })
  })

  test('L1 concurrent sessions: the one too many is refused before anything is dialled, and a place comes free', async () => {
    await start({ limits: { tenant: { sessions: 2 } } })
    const first = await connect()
    using _second = await connect()
    using third = new Caller(parley.door(), demo.key)
    expect((await third.next('error')).error).toMatchObject({ code: 'rate_limit_exceeded' })
    expect((await third.closed()).code).toBe(4101)
    expect(parley.loopback.upgrades.length).toBe(2)
    first.socket.close(1000)
    await first.closed()
    for (;;) {
      using next = new Caller(parley.door(), demo.key)
      const event = await next.until((e) => e.type === 'session.created' || e.type === 'error')
      if (event.type === 'session.created') break
    }
  })

  test('L5 a session budget is warned of and never passed; its end is told as spent money', async () => {
    await start({ limits: { session: { budget: '$0.10' } }, throttle: { maxDelay: '1s' } })
    using caller = await connect()
    for (let i = 0; caller.closure === null && i < 50; i++) {
      caller.send({
        type: 'conversation.item.create',
        item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'speak for 5 s' }] },
      })
      const from = caller.events.length
      caller.send({ type: 'response.create' })
      await caller.until((e) => e.type === 'response.done' || e.type === 'error', from).catch(() => undefined)
    }
    expect((await caller.closed()).code).toBe(4012)
    expect(caller.of('error').at(-1)?.error).toMatchObject({ code: 'insufficient_quota' })
    const spent = billed(parley)
    expect(spent).toBeLessThanOrEqual(100_000_000)
    expect(spent).toBeGreaterThan(70_000_000)
    expect(caller.of('parley.budget_warning').map((e) => e.percent)).toEqual([80, 95])
    expect(caller.of('parley.session_ended')).toMatchObject([{ reason: 'budget_spent' }])
  })

  test('L3 spoken turns near the limit: the broker starts the responses, and the caller sees its session as it set it', async () => {
    await start({ limits: { session: { tokensPerMinute: 6_000 } }, throttle: { maxDelay: '2s' } })
    using caller = await connect()
    expect(caller.of('session.created')[0]).toMatchObject({
      session: { audio: { input: { turn_detection: { create_response: true } } } },
    })
    caller.speak(spoken)
    const done = await caller.next('response.done')
    expect(done.response).toMatchObject({ status: expect.stringMatching(/completed|incomplete/) })
    caller.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Be brief.' } })
    const { session } = (await caller.next('session.updated')) as unknown as { session: Event }
    expect(session.audio).toMatchObject({ input: { turn_detection: { create_response: true } } })
    expect(caller.of('session.updated').length).toBe(1)
    const rate = await caller.next('rate_limits.updated')
    expect(rate.rate_limits).toMatchObject([{ name: 'tokens', limit: 6_000 }])
  })

  test('L3 the rate a client is told of is what it may still use, whatever is reserved for it in advance', async () => {
    await start({ limits: { session: { tokensPerMinute: 60_000 } } })
    using caller = await connect()
    await caller.ask('say: one')
    const bought = await caller.next('parley.usage')
    const { rate_limits } = (await caller.next('rate_limits.updated')) as unknown as { rate_limits: Event[] }
    // Text that is read costs 4,000 nano-dollars a token, and weighs 1.
    const weighed = Math.ceil(Number(bought.cost_nano_usd) / 4_000)
    expect(rate_limits).toMatchObject([{ limit: 60_000, remaining: 60_000 - weighed, reset_seconds: weighed / 1_000 }])
  })

  test('L3 what does not fit is delayed or refused with the wait, in OpenAI words, with the id of the event', async () => {
    await start({
      limits: { session: { tokensPerMinute: 3_000 } },
      throttle: { maxDelay: '500ms', smallestResponse: 50, refusalsBeforeClose: 3 },
    })
    using caller = await connect()
    let refusals = 0
    for (let i = 0; caller.closure === null && i < 20; i++) {
      const from = caller.events.length
      caller.send({ type: 'conversation.item.create', item: message('speak for 4 s') })
      caller.send({ type: 'response.create', event_id: `ask-${i}` })
      const event = await caller.until((e) => e.type === 'response.done' || e.type === 'error', from).catch(() => null)
      if (event?.type !== 'error') continue
      refusals++
      if (refusals <= 3) {
        expect(event.error).toMatchObject({
          code: 'rate_limit_exceeded',
          type: 'rate_limit_error',
          event_id: `ask-${i}`,
        })
      }
    }
    expect((await caller.closed()).code).toBe(4100)
    expect(caller.of('parley.throttled').map((e) => e.action)).toContain('refused')
    expect(caller.of('parley.session_ended')).toMatchObject([{ reason: 'rate_limited' }])
  })
})

const message = (text: string) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] })
