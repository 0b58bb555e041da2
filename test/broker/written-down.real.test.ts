import { afterEach, describe, expect, test } from 'vitest'
import type { PolicyInput } from '../../src/config/schema.ts'
import { Caller, type Event } from '../support/caller.ts'
import { eventually } from '../support/eventually.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

type Plan = NonNullable<PolicyInput['plans']>[string]
type Input = { input_tokens: number; output_tokens: number }

const MODEL = 'gpt-4o-transcribe'
const manual = { input: { turn_detection: null, transcription: { model: MODEL } } }
/** So many seconds of raw audio in one event. */
const append = (length: number) => ({
  type: 'input_audio_buffer.append',
  audio: Buffer.alloc(length * 48_000).toString('base64'),
})

describe('turns that are written down', () => {
  const stack: AsyncDisposable[] = []
  afterEach(async () => {
    for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]()
  })

  const start = async (plan: Plan, provider?: string) => {
    const throttle = { inputPace: 1_000, inputBurst: '10m', ...plan.throttle }
    const door = { maxMessage: '16MiB', bytesPerSecond: '1GiB', byteBurst: '1GiB' }
    const policy = { door, plans: { default: { ...plan, throttle } } }
    const parley = await Parley.start({ policy, ...(provider === undefined ? {} : { provider }) })
    stack.push(parley)
    return parley
  }
  const connect = (parley: Parley) => Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
  /** What the provider has billed for writing down, nano-dollars, and weighted tokens. */
  const billed = (parley: Parley) => {
    const usages = parley.loopback.bills.map(({ usage }) => usage as unknown as Input)
    return {
      turns: usages.length,
      money: usages.reduce((sum, u) => sum + u.input_tokens * 6_000 + u.output_tokens * 10_000, 0),
      tokens: usages.reduce((sum, u) => sum + Math.ceil(u.input_tokens * 2.4 + u.output_tokens * 4), 0),
    }
  }
  /** Says turn after turn of so many seconds, and answers none, until the session ends or input is held. */
  const talk = async (caller: Caller, length: number, turns = 40) => {
    for (let i = 0; i < turns && caller.closure === null; i++) {
      const from = caller.events.length
      caller.send(append(length))
      caller.send({ type: 'input_audio_buffer.commit' })
      const isOver = ({ type }: Event) => type.endsWith('transcription.completed') || type === 'parley.throttled'
      const event = await caller.until(isOver, from).catch(() => null)
      if (event?.type === 'parley.throttled') return event
    }
    return null
  }

  test('L5 a budget is never passed by them, although nobody asks before; its end is told as spent money', async () => {
    const parley = await start({ limits: { session: { budget: '$0.012' } } })
    using caller = await connect(parley)
    caller.send({ type: 'session.update', session: { type: 'realtime', audio: manual } })
    await caller.next('session.updated')
    await talk(caller, 20)
    expect((await caller.closed()).code).toBe(4012)
    expect(caller.of('error').at(-1)?.error).toMatchObject({ code: 'insufficient_quota' })
    expect(caller.of('parley.session_ended')).toMatchObject([{ reason: 'budget_spent' }])
    expect(billed(parley).turns).toBeGreaterThan(1)
    expect(billed(parley).money).toBeLessThanOrEqual(12_000_000)
  })

  test('L5 audio that nobody can pay for does not reach the provider, not even behind the update that asks for it', async () => {
    const parley = await start({ limits: { session: { budget: '$0.012' } } })
    using caller = await connect(parley)
    caller.send({ type: 'session.update', session: { type: 'realtime', audio: manual } })
    caller.send(append(90))
    caller.send({ type: 'input_audio_buffer.commit' })
    expect((await caller.closed()).code).toBe(4012)
    expect(billed(parley)).toMatchObject({ turns: 0 })
  })

  test('L3 near a rate they wait, and the caller is told for what', async () => {
    const parley = await start({ limits: { session: { tokensPerMinute: 4_000 } } })
    using caller = await connect(parley)
    caller.send({ type: 'session.update', session: { type: 'realtime', audio: manual } })
    await caller.next('session.updated')
    const told = await talk(caller, 10)
    expect(told).toMatchObject({ action: 'delayed', account: 'session', limit: 'tokens' })
    expect(caller.closure).toBe(null)
    const { turns, tokens } = billed(parley)
    expect(turns).toBeGreaterThan(3)
    expect(tokens).toBeLessThanOrEqual(4_000)
    // Who hangs up is noticed although nothing more of it goes on.
    caller.socket.close(1000)
    expect((await caller.closed()).code).toBe(1000)
  })

  test('L3 with plenty nothing of it is felt: what is said passes as it comes, and nobody is told of anything', async () => {
    const parley = await start({ limits: { session: { budget: '$50' } } })
    using caller = await connect(parley)
    caller.send({ type: 'session.update', session: { type: 'realtime', audio: manual } })
    await caller.next('session.updated')
    expect(await talk(caller, 5, 20)).toBe(null)
    expect(billed(parley).turns).toBe(20)
    expect(caller.of('parley.throttled')).toEqual([])
  })

  test('L3 what waits goes on in its order as soon as others give back what they held', async () => {
    const upstream = await RawUpstream.start()
    stack.push(upstream)
    const parley = await start({ limits: { tenant: { perDay: '$0.02' } } }, upstream.baseUrl)
    const got = (line: number) => (upstream.heard[line] ?? []).map((frame) => JSON.parse(frame) as Event)
    // An answer of a neighbour's may cost all that there is.
    using neighbour = await connect(parley)
    neighbour.send({ type: 'response.create' })
    await upstream.until(() => got(0).some(({ type }) => type === 'response.create'))
    const response = { id: 'resp_1', object: 'realtime.response', status: 'in_progress', conversation_id: 'conv' }
    upstream.sockets[0]?.send(JSON.stringify({ type: 'response.created', event_id: 'a', response }))
    await neighbour.next('response.created')

    using caller = await connect(parley)
    const audio = { input: { transcription: { model: MODEL } } }
    caller.send({ type: 'session.update', session: { type: 'realtime', audio } })
    const said = [1, 2, 3].map((n) => ({ ...append(1), event_id: `said ${n}` }))
    for (const event of said) caller.send(event)
    caller.send({ type: 'x.mine', event_id: 'last' })
    const told = await caller.next('parley.throttled')
    expect(told).toMatchObject({ action: 'delayed', account: 'tenant', limit: 'day' })
    const mine = () => got(1).flatMap(({ event_id }) => (/^(said|last)/.test(String(event_id)) ? [event_id] : []))
    expect(mine()).toEqual([])

    const details = { text_tokens: 4, audio_tokens: 0 }
    const usage = { input_tokens: 4, output_tokens: 4, input_token_details: details, output_token_details: details }
    const done = { ...response, status: 'completed', usage }
    upstream.sockets[0]?.send(JSON.stringify({ type: 'response.done', event_id: 'b', response: done }))
    await upstream.until(() => mine().includes('last'))
    expect(mine()).toEqual(['said 1', 'said 2', 'said 3', 'last'])
    expect(got(1).find(({ event_id }) => event_id === 'said 1')).toEqual(said[0])
  })

  test('L4 a start that the provider refuses holds nothing from then on', async () => {
    const upstream = await RawUpstream.start()
    stack.push(upstream)
    const parley = await start(
      { limits: { tenant: { tokensPerMinute: 6_000 } }, throttle: { maxDelay: '5s' } },
      upstream.baseUrl,
    )
    using caller = await connect(parley)
    const created = () => upstream.received.map((f) => JSON.parse(f) as Event).find((e) => e.type === 'response.create')
    const held = async () => {
      const answer = await fetch(`${parley.url}/v1/limits`, { headers: { Authorization: `Bearer ${demo.key}` } })
      const { data } = (await answer.json()) as { data: { tokens_per_minute: { held: number } }[] }
      return data[0]?.tokens_per_minute.held
    }
    expect(await held()).toBe(0)
    caller.send({ type: 'response.create', event_id: 'mine' })
    await upstream.until(() => created() !== undefined)
    expect(await held()).toBeGreaterThan(0)
    upstream.send({
      type: 'error',
      event_id: 'e',
      error: { type: 'invalid_request_error', code: 'x', message: 'No.', event_id: created()?.event_id },
    })
    await eventually(async () => expect(await held()).toBe(0), 5_000)
  })
})
