import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller, type Event } from '../support/caller.ts'
import { eventually } from '../support/eventually.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream, SESSION_CREATED } from '../support/raw-upstream.ts'

const RATE = 6_000
const limits = { tenant: { tokensPerMinute: RATE } }
const throttle = { maxDelay: '20s', smallestResponse: 50 }
const plans = { default: { limits, throttle, session: { resumeWindow: '20s' } } }

/** A session of one caller, and its line at the provider. */
class Side implements Disposable {
  readonly caller: Caller
  readonly line: number
  readonly #upstream: RawUpstream

  constructor(caller: Caller, upstream: RawUpstream) {
    this.caller = caller
    this.#upstream = upstream
    this.line = upstream.sockets.length - 1
  }

  /** What the provider has got from this session, by type. */
  got(type: string): Event[] {
    const all = (this.#upstream.heard[this.line] ?? []).map((frame) => JSON.parse(frame) as Event)
    return all.filter((event) => event.type === type)
  }

  /** The nth event of this type that the provider gets. */
  async gets(type: string, n = 1): Promise<Event> {
    await this.#upstream.until(() => this.got(type).length >= n)
    return this.got(type)[n - 1] as Event
  }

  says(event: object): void {
    this.#upstream.sockets[this.line]?.send(JSON.stringify(event))
  }

  /** The provider does what it was told, and confirms. */
  confirm(update: Event, event_id = 'event_confirmed'): void {
    const { turn_detection } = (update.session as typeof SESSION_CREATED.session).audio.input
    const { audio, ...rest } = SESSION_CREATED.session
    const session = { ...rest, audio: { ...audio, input: { ...audio.input, turn_detection } } }
    this.says({ type: 'session.updated', event_id, session })
  }

  speech(item_id: string): void {
    this.says({ type: 'input_audio_buffer.speech_started', event_id: `s ${item_id}`, audio_start_ms: 0, item_id })
    this.says({ type: 'input_audio_buffer.speech_stopped', event_id: `e ${item_id}`, audio_end_ms: 900, item_id })
    this.says({ type: 'input_audio_buffer.committed', event_id: `c ${item_id}`, previous_item_id: null, item_id })
  }

  begins(id: string): void {
    const response = { id, object: 'realtime.response', status: 'in_progress', conversation_id: 'conv' }
    this.says({ type: 'response.created', event_id: `b ${id}`, response })
  }

  ends(id: string, status = 'completed', output_tokens = 2): void {
    const input_token_details = { text_tokens: 4, audio_tokens: 0, cached_tokens: 0 }
    const output_token_details = { text_tokens: output_tokens, audio_tokens: 0 }
    const usage = { total_tokens: 6, input_tokens: 4, output_tokens, input_token_details, output_token_details }
    const response = { id, object: 'realtime.response', status, conversation_id: 'conv', usage }
    this.says({ type: 'response.done', event_id: `d ${id}`, response })
  }

  /** Everything the caller has seen of the provider's, by id. */
  get shown(): string[] {
    return this.caller.events.flatMap((event) => (typeof event.event_id === 'string' ? [event.event_id] : []))
  }

  [Symbol.dispose](): void {
    this.caller[Symbol.dispose]()
  }
}

describe('near a limit the broker starts the responses', () => {
  let upstream: RawUpstream
  let parley: Parley
  beforeEach(async () => {
    upstream = await RawUpstream.start()
    parley = await Parley.start({ provider: upstream.baseUrl, policy: { plans } })
  })
  afterEach(async () => {
    await parley[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })

  const arrive = async () => {
    const caller = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    return new Side(caller, upstream)
  }
  /** A session that the broker has taken over, and whose provider knows. */
  const taken = async () => {
    const side = await arrive()
    side.confirm(await side.gets('session.update'))
    return side
  }
  /** A neighbour whose answer is under way and holds all that the tenant may buy. */
  const greedy = async () => {
    const side = await taken()
    side.caller.send({ type: 'response.create' })
    await side.gets('response.create')
    side.begins('greedy')
    return side
  }
  /** A turn that has been spoken, whose answer waits. */
  const held = async (side: Side, item: string) => {
    const from = side.caller.events.length
    side.speech(item)
    await side.caller.until((e) => e.type === 'parley.throttled' && e.action === 'delayed', from, 'a delay')
  }

  test('L3 the provider is told to wait, its answer is shown to nobody, and everything else keeps its order', async () => {
    using side = await arrive()
    const update = await side.gets('session.update')
    expect(update.session).toMatchObject({ audio: { input: { turn_detection: { create_response: false } } } })
    side.says({ type: 'x.one', event_id: 'one' })
    side.confirm(update, 'ours')
    side.says({ type: 'x.two', event_id: 'two' })
    side.speech('turn')
    side.says({ type: 'x.three', event_id: 'three' })
    await side.caller.next('x.three')
    expect(side.shown).toEqual(['event_1', 'one', 'two', 's turn', 'e turn', 'c turn', 'three'])
    expect((await side.gets('response.create')).event_id).toMatch(/^parley_/)
    expect(side.got('response.create').length).toBe(1)
  })

  test("L3 the caller's own update passes as it came, and it sees the session as it set it", async () => {
    using side = await taken()
    const frame = '{"type":"session.update",  "session":{"type":"realtime","instructions":"Be brief."}}'
    side.caller.send(frame)
    await side.gets('session.update', 2)
    expect(upstream.heard[side.line]).toContain(frame)
    side.confirm(side.got('session.update')[0] as Event, 'theirs')
    const updated = await side.caller.next('session.updated')
    expect(updated).toMatchObject({
      event_id: 'theirs',
      session: { audio: { input: { turn_detection: { create_response: true } } } },
    })
    expect(side.caller.of('session.updated').length).toBe(1)
  })

  test('L3 speech over a response that still waits withdraws it; the next turn gets one answer', async () => {
    using neighbour = await greedy()
    using side = await taken()
    await held(side, 'first')
    await held(side, 'second')
    const from = side.caller.events.length
    side.says({ type: 'input_audio_buffer.speech_started', event_id: 's third', audio_start_ms: 0, item_id: 'third' })
    await side.caller.next('input_audio_buffer.speech_started', from)
    side.caller.send({ type: 'response.create', event_id: 'its own' })
    await side.caller.next('parley.throttled', from)
    neighbour.ends('greedy')
    expect((await side.gets('response.create')).event_id).toBe('its own')
    side.begins('answer')
    side.ends('answer')
    await side.caller.next('response.done')
    side.speech('third')
    await side.gets('response.create', 2)
    expect(side.got('response.create').length).toBe(2)
  })

  test("L3 a caller's response that waits is gone once it is cancelled, and stays when another one is", async () => {
    using neighbour = await greedy()
    using side = await taken()
    side.caller.send({ type: 'response.create', event_id: 'unwanted' })
    await side.caller.next('parley.throttled')
    side.caller.send({ type: 'response.cancel', event_id: 'cancel' })
    await side.gets('response.cancel')
    const from = side.caller.events.length
    side.caller.send({ type: 'response.create', event_id: 'wanted' })
    await side.caller.next('parley.throttled', from)
    side.caller.send({ type: 'response.cancel', response_id: 'resp_other' })
    await side.gets('response.cancel', 2)
    neighbour.ends('greedy')
    expect(await side.gets('response.create')).toMatchObject({
      event_id: 'wanted',
      response: { max_output_tokens: expect.any(Number) },
    })
    expect(side.got('response.create').length).toBe(1)
  })

  test('L3 a response that waits goes on waiting for a caller that drops, and is there when it comes back', async () => {
    using neighbour = await greedy()
    using side = await taken()
    const introduced = await side.caller.next('parley.session')
    await held(side, 'turn')
    const seen = side.caller.events.filter((event) => !event.type.startsWith('parley.')).length
    side.caller.vanish()
    using back = new Caller(
      parley.door(`model=gpt-realtime&parley=1&resume_from=${seen}`),
      String(introduced.resume_token),
    )
    await back.next('parley.session')
    neighbour.ends('greedy')
    await side.gets('response.create')
    side.begins('answer')
    expect((await back.next('response.created')).response).toMatchObject({ id: 'answer' })
  })

  test('L4 a session that ends while a response waits gives everything back at once, and buys nothing more', async () => {
    using neighbour = await greedy()
    using side = await taken()
    await held(side, 'turn')
    const since = performance.now()
    side.caller.socket.close(1000)
    await upstream.until(() => upstream.sockets[side.line]?.readyState === WebSocket.CLOSED)
    expect(performance.now() - since).toBeLessThan(2_000)
    await eventually(async () => {
      const answer = await fetch(`${parley.url}/v1/limits`, { headers: { Authorization: `Bearer ${demo.key}` } })
      const { data } = (await answer.json()) as { data: { account: { kind: string }; sessions: { now: number } }[] }
      expect(data.find(({ account }) => account.kind === 'tenant')?.sessions.now).toBe(1)
    }, 3_000)
    neighbour.ends('greedy')
    await neighbour.caller.next('response.done')
    neighbour.caller.send({ type: 'response.create' })
    await neighbour.gets('response.create', 2)
    expect(side.got('response.create')).toEqual([])
  })

  test('L3 what the provider started before it was told is cancelled, and the turn is answered all the same', async () => {
    using side = await arrive()
    const update = await side.gets('session.update')
    side.speech('turn')
    side.begins('early')
    expect(await side.gets('response.cancel')).toMatchObject({ response_id: 'early' })
    side.confirm(update)
    side.ends('early', 'cancelled', 0)
    const asked = await side.gets('response.create')
    // Errors about what the broker asked for are its own affair.
    const error = { type: 'invalid_request_error', code: 'conversation_already_has_active_response', message: '' }
    side.says({ type: 'error', event_id: 'hidden', error: { ...error, event_id: asked.event_id } })
    side.says({ type: 'error', event_id: 'shown', error: { ...error, event_id: null } })
    await side.caller.next('error')
    expect(side.shown).not.toContain('hidden')
    expect(side.shown).not.toContain('event_confirmed')
    expect(side.got('response.create').length).toBe(1)
  })
})
