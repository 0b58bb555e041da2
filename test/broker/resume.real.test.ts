import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Caller, type Event } from '../support/caller.ts'
import { eventually } from '../support/eventually.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

const parleyFree = (caller: Caller) => caller.frames.filter((_, i) => !caller.events[i]?.type.startsWith('parley.'))

async function introduced(caller: Caller): Promise<{ resume_token: string; session_id: string; seq: number }> {
  return (await caller.next('parley.session')) as never
}

describe('a caller who comes back', () => {
  let upstream: RawUpstream
  let parley: Parley
  beforeAll(async () => {
    upstream = await RawUpstream.start()
    parley = await Parley.start({ provider: upstream.baseUrl })
  })
  afterAll(async () => {
    await parley[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })

  const resume = (token: string, seen: number, options: { autoPong?: boolean } = {}) =>
    new Caller(parley.door(`model=gpt-realtime&parley=1&resume_from=${seen}`), token, options)

  test('S5 gets every event it missed, in order, none twice, on the same conversation', async () => {
    using first = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token } = await introduced(first)
    const connections = upstream.sockets.length
    for (let i = 1; i <= 50; i++) upstream.send({ type: 'x.event', n: i })
    await first.until((event) => event.n === 50)
    first.vanish()
    for (let i = 51; i <= 100; i++) upstream.send({ type: 'x.event', n: i })
    // It has in truth seen the first 30 of them, and session.created before.
    using back = resume(resume_token, 31)
    expect(await introduced(back)).toMatchObject({ resumed: true, seq: 31 })
    for (let i = 101; i <= 120; i++) upstream.send({ type: 'x.event', n: i })
    await back.until((event) => event.n === 120)
    expect(back.of('x.event').map((event) => event.n)).toEqual(Array.from({ length: 90 }, (_, i) => i + 31))
    expect(upstream.sockets.length).toBe(connections)
    expect(back.of('session.created')).toEqual([])
    // And the way up works on the same line.
    back.send({ type: 'x.up' })
    await upstream.until(() => upstream.received.includes('{"type":"x.up"}'))
  })

  test('S5 a token is good once, and only the newest', async () => {
    using first = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token } = await introduced(first)
    first.vanish()
    using back = resume(resume_token, 1)
    const next = await introduced(back)
    expect(next.resume_token).not.toBe(resume_token)
    using replayed = resume(resume_token, 1)
    expect(((await replayed.next('error')).error as { code: string }).code).toBe('session_not_found')
    expect(back.closure).toBeNull()
  })

  test('S5 two who come back at once: one gets the session, the other is refused', async () => {
    using first = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token } = await introduced(first)
    first.vanish()
    using a = resume(resume_token, 1)
    using b = resume(resume_token, 1)
    const outcome = (caller: Caller) =>
      caller.until((event) => event.type === 'error' || event.type === 'parley.session').then((event) => event.type)
    expect((await Promise.all([outcome(a), outcome(b)])).sort()).toEqual(['error', 'parley.session'])
  })

  test('S5 a token is good again when the line was lost before the next one was known to have arrived', async () => {
    using first = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token, session_id } = await introduced(first)
    first.vanish()
    // Its pong never comes: for all that anybody can tell, neither did the token.
    using cutOff = resume(resume_token, 1, { autoPong: false })
    await introduced(cutOff)
    using early = resume(resume_token, 1)
    expect(((await early.next('error')).error as { code: string }).code).toBe('session_not_found')
    expect(cutOff.closure).toBeNull()
    cutOff.vanish()
    upstream.send({ type: 'x.meanwhile' })
    const parked = async () => {
      const answer = await fetch(`${parley.url}/v1/sessions/${session_id}`, {
        headers: { Authorization: `Bearer ${demo.key}` },
      })
      expect(await answer.json()).toMatchObject({ phase: 'parked' })
    }
    await eventually(parked, 5_000)
    using back = resume(resume_token, 1)
    await back.next('x.meanwhile')
    expect(back.of('parley.session')[0]?.resume_token).not.toBe(cutOff.of('parley.session')[0]?.resume_token)
  })

  test('S5 a caller that claims what was never sent keeps its token', async () => {
    using first = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token } = await introduced(first)
    first.vanish()
    using liar = resume(resume_token, 99)
    expect(((await liar.next('error')).error as { code: string }).code).toBe('session_not_found')
    using honest = resume(resume_token, 1)
    expect(await introduced(honest)).toMatchObject({ resumed: true })
  })

  test('S5 the older connection is replaced when its caller comes back while it still stands', async () => {
    using first = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token } = await introduced(first)
    using back = resume(resume_token, 1)
    await introduced(back)
    expect((await first.closed()).code).toBe(4020)
    upstream.send({ type: 'x.after' })
    await back.next('x.after')
  })

  test('S5 what does not fit the ring waits at the provider: nothing is lost', async () => {
    using first = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token } = await introduced(first)
    first.vanish()
    const padding = 'x'.repeat(64 * 1024)
    for (let i = 1; i <= 100; i++) upstream.send({ type: 'x.big', n: i, padding })
    using back = resume(resume_token, 1)
    await back.until((event) => event.n === 100)
    const gap = back.of('parley.gap')[0] as Event | undefined
    const lost = gap === undefined ? 0 : Number(gap.to) - Number(gap.from) + 1
    expect(back.of('x.big').length + lost).toBe(100)
    expect(back.of('x.big').map((event) => event.n)).toEqual(Array.from({ length: 100 - lost }, (_, i) => i + 1 + lost))
  })

  test('S5 acknowledged frames are not sent again', async () => {
    using first = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { resume_token } = await introduced(first)
    for (let i = 1; i <= 10; i++) upstream.send({ type: 'x.event', n: i })
    await first.until((event) => event.n === 10)
    first.send({ type: 'parley.ack', seq: 11 })
    first.send({ type: 'parley.ping' })
    await first.next('parley.pong')
    first.vanish()
    using back = resume(resume_token, 11)
    upstream.send({ type: 'x.last' })
    await back.next('x.last')
    expect(parleyFree(back).length).toBe(1)
  })
})

describe('a caller who is gone', () => {
  let parley: Parley
  beforeEach(async () => {
    const plans = { default: { session: { resumeWindow: '1s' as const, lastUsage: '3s' as const } } }
    parley = await Parley.start({ policy: { plans } })
  })
  afterEach(() => parley[Symbol.asyncDispose]())

  const gone = async () => {
    while (parley.loopback.live > 0) await new Promise(setImmediate)
  }

  test('S4 the running response is cancelled, its last usage collected, the provider let go', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'speak for 60 s' }] },
    })
    caller.send({ type: 'response.create' })
    await caller.next('response.output_audio.delta')
    const left = performance.now()
    caller.vanish()
    await gone()
    expect(performance.now() - left).toBeLessThan(1_000)
    expect(parley.loopback.bills.length).toBe(1)
    // 60 s of audio would be 1,200 tokens.
    expect(JSON.stringify(parley.loopback.bills[0])).toMatch(/"output_tokens":\d{1,3}[,}]/)
  })

  test('S5 a parked session ends when its window is over, and says why to those who ask', async () => {
    using caller = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { session_id, resume_token } = (await caller.next('parley.session')) as never as Record<string, string>
    caller.vanish()
    await gone()
    const response = await fetch(`${parley.url}/v1/sessions/${session_id}`, {
      headers: { Authorization: `Bearer ${demo.key}` },
    })
    expect(await response.json()).toMatchObject({ phase: 'ended', reason: 'caller_lost' })
    using late = new Caller(parley.door('model=gpt-realtime&parley=1&resume_from=1'), String(resume_token))
    expect(((await late.next('error')).error as { code: string }).code).toBe('session_not_found')
  })

  test('S4 who hangs up properly is not waited for', async () => {
    using caller = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    const { session_id } = (await caller.next('parley.session')) as never as Record<string, string>
    const left = performance.now()
    caller.socket.close(1000)
    await gone()
    expect(performance.now() - left).toBeLessThan(900)
    const response = await fetch(`${parley.url}/v1/sessions/${session_id}`, {
      headers: { Authorization: `Bearer ${demo.key}` },
    })
    expect(await response.json()).toMatchObject({ reason: 'caller_hung_up' })
  })
})
