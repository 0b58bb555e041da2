import { describe, expect, test } from 'vitest'
import { CallWorld, introduction, sent, sound } from './call-world.ts'

describe('a conversation begins', () => {
  test('V1 nobody connects before both the secret and the microphone are there: the clock would run', () => {
    const world = new CallWorld()
    expect(world.do({ type: 'start', isSpoken: true })).toEqual([{ type: 'fetch_secret' }, { type: 'open_microphone' }])
    expect(world.do({ type: 'secret', value: 'ek_1' })).toEqual([])
    expect(world.do({ type: 'microphone_ready' })).toEqual([{ type: 'dial', credential: 'ek_1', resumeFrom: null }])
  })

  test('V1 a written conversation asks for no microphone', () => {
    const world = new CallWorld()
    expect(world.do({ type: 'start', isSpoken: false })).toEqual([{ type: 'fetch_secret' }])
    expect(world.do({ type: 'secret', value: 'ek_1' })).toEqual([
      { type: 'dial', credential: 'ek_1', resumeFrom: null },
    ])
  })

  test.each(['denied', 'missing', 'busy'] as const)(
    'V1 a microphone that is %s is told, and nothing is opened',
    (why) => {
      const world = new CallWorld()
      world.do({ type: 'start', isSpoken: true })
      world.do({ type: 'microphone_failed', why })
      expect(world.state).toMatchObject({ phase: 'ended', cause: `microphone_${why}` })
      // The secret that comes late opens nothing.
      expect(world.do({ type: 'secret', value: 'ek_1' })).toEqual([])
    },
  )

  test('V1 what is said while the line is made is sent once it stands', () => {
    const world = new CallWorld()
    world.do({ type: 'start', isSpoken: true })
    world.do({ type: 'microphone_ready' })
    world.do({ type: 'secret', value: 'ek_1' })
    world.do({ type: 'captured', audio: 'QQ==' })
    expect(sent(world.hear(introduction()))).toEqual([{ type: 'input_audio_buffer.append', audio: 'QQ==' }])
    expect(world.live.session.endsAt).toBe(world.now + 600_000)
  })

  test('V1 a line that does not come about in 15 s is given up', () => {
    const world = new CallWorld()
    world.do({ type: 'start', isSpoken: false })
    world.do({ type: 'secret', value: 'ek_1' })
    world.pass(14_999)
    expect(world.state.phase).toBe('connecting')
    world.pass(1)
    expect(world.state).toMatchObject({ phase: 'ended', cause: 'unreachable' })
  })
})

describe('barge-in', () => {
  test('V1 speech over an answer silences it, and the provider keeps what was heard and no more', () => {
    const world = new CallWorld().connect().answer('item_a', 2_000, 'One two three four')
    expect(world.hear({ type: 'input_audio_buffer.speech_started', item_id: 'item_u' })).toEqual([{ type: 'cut' }])
    const told = world.do({ type: 'was_cut', heard: [{ itemId: 'item_a', ms: 1_000.4 }] })
    expect(sent(told)).toEqual([
      { type: 'conversation.item.truncate', item_id: 'item_a', content_index: 0, audio_end_ms: 1_000 },
    ])
    expect(world.live.talk.lines[0]).toMatchObject({ text: 'One two three', isInterrupted: true })
  })

  test('V1 sound that still comes of what was cut is not played, nor read', () => {
    const world = new CallWorld().connect().answer('item_a', 500, 'One')
    world.hear({ type: 'input_audio_buffer.speech_started', item_id: 'item_u' })
    world.do({ type: 'was_cut', heard: [{ itemId: 'item_a', ms: 500 }] })
    const late = { type: 'response.output_audio.delta', response_id: 'r', item_id: 'item_a', delta: sound(100) }
    expect(world.hear(late)).toEqual([])
    world.hear({ type: 'response.output_audio_transcript.delta', item_id: 'item_a', delta: ' two' })
    expect(world.live.talk.lines[0]?.text).toBe('One')
  })

  test('V1 never more is said to have been heard than has come', () => {
    const world = new CallWorld().connect().answer('item_a', 500)
    world.do({ type: 'interrupt' })
    const [event] = sent(world.do({ type: 'was_cut', heard: [{ itemId: 'item_a', ms: 900 }] }))
    expect(event).toMatchObject({ audio_end_ms: 500 })
  })

  test('V1 an answer that was heard to its end is not truncated', () => {
    const world = new CallWorld().connect().answer('item_a', 500, 'All')
    world.hear({ type: 'response.done', response: { id: 'resp_item_a', status: 'completed' } })
    world.do({ type: 'interrupt' })
    expect(world.do({ type: 'was_cut', heard: [{ itemId: 'item_a', ms: 500 }] })).toEqual([])
    expect(world.live.talk.lines[0]?.isInterrupted).toBe(false)
  })

  test('V1 where the provider speaks on, so does the speaker', () => {
    const world = new CallWorld()
    world.do({ type: 'start', isSpoken: false })
    world.do({ type: 'secret', value: 'ek_1' })
    const input = { turn_detection: { interrupt_response: false } }
    world.hear({ type: 'session.created', session: { audio: { input } } })
    world.hear(introduction())
    world.answer('item_a', 500)
    expect(world.hear({ type: 'input_audio_buffer.speech_started', item_id: 'item_u' })).toEqual([])
  })

  test('V1 a written turn stops the answer, and the next one is asked for once that has ended', () => {
    const world = new CallWorld().connect({ isSpoken: false }).answer('item_a', 500)
    const effects = world.do({ type: 'say', text: ' And tomorrow? ' })
    expect(effects[0]).toEqual({ type: 'cut' })
    expect(sent(effects).map((event) => event.type)).toEqual(['response.cancel', 'conversation.item.create'])
    const after = world.hear({ type: 'response.done', response: { id: 'resp_item_a', status: 'cancelled' } })
    expect(sent(after)).toEqual([{ type: 'response.create', response: { output_modalities: ['text'] } }])
  })
})

describe('the line', () => {
  test('S5 a lost line is dialled again at once, with the token and the last frame seen', () => {
    const world = new CallWorld().connect()
    for (let i = 0; i < 4; i++) world.hear({ type: 'x.event' })
    expect(world.do({ type: 'closed', code: 1006 })).toEqual([
      { type: 'leave_line' },
      { type: 'dial', credential: 'prt_a', resumeFrom: 5 },
    ])
    world.hear(introduction({ resumed: true, resume_token: 'prt_b', seq: 5 }))
    expect(world.live.session).toMatchObject({ resumeToken: 'prt_b', seen: 5 })
  })

  test('S5 no frame of Parley is counted; a gap is', () => {
    const world = new CallWorld().connect()
    world.hear({ type: 'parley.pong' })
    world.hear({ type: 'x.event' })
    expect(world.live.session.seen).toBe(2)
    world.hear({ type: 'parley.gap', from: 3, to: 9, items: [{ id: 'i', role: 'user', content: [{ text: 'Hello' }] }] })
    expect(world.live.session.seen).toBe(9)
    expect(world.live.talk.lines).toMatchObject([{ id: 'i', text: 'Hello' }])
  })

  test('S5 an answer that was lost on the way is not waited for', () => {
    const world = new CallWorld().connect().answer('item_a', 100)
    world.do({ type: 'say', text: 'And tomorrow?' })
    const after = world.hear({ type: 'parley.restored', items: 2 })
    expect(sent(after)).toEqual([{ type: 'response.create' }])
    expect(world.live.session).toMatchObject({ responseId: null, wantsAnswer: false })
  })

  test('S5 what is said while the line is away is kept, 15 s of it, and sent in order', () => {
    const world = new CallWorld().connect()
    world.do({ type: 'closed', code: 1006 })
    for (let i = 0; i < 400; i++) world.do({ type: 'captured', audio: String(i) })
    const audio = sent(world.hear(introduction({ resumed: true }))).map((event) => event.audio)
    expect(audio).toEqual(Array.from({ length: 375 }, (_, i) => String(i + 25)))
  })

  test('S5 attempts are spaced, and end with the window', () => {
    const world = new CallWorld().connect()
    world.do({ type: 'closed', code: 1006 })
    let dials = 1
    while (world.state.phase === 'reconnecting') {
      world.do({ type: 'closed', code: 1006 })
      dials += world.pass(250).filter((effect) => effect.type === 'dial').length
    }
    expect(world.state).toMatchObject({ phase: 'ended', cause: 'connection_lost' })
    expect(dials).toBeGreaterThan(15)
    expect(dials).toBeLessThan(25)
  })

  test('S5 a network that is back is tried at once', () => {
    const world = new CallWorld().connect()
    for (let i = 0; i < 6; i++) {
      world.do({ type: 'closed', code: 1006 })
      world.pass(2_000)
    }
    world.do({ type: 'closed', code: 1006 })
    expect(world.do({ type: 'online' })).toMatchObject([{ type: 'dial' }])
  })

  test('S6 a silent line is asked, and left when it does not answer', () => {
    const world = new CallWorld().connect()
    const first = world.pass(3_000)
    expect(sent(first).map((event) => event.type)).toEqual(['parley.ack', 'parley.ping'])
    world.hear({ type: 'parley.pong' })
    expect(sent(world.pass(3_000)).map((event) => event.type)).toEqual(['parley.ping'])
    const last = world.pass(4_000)
    expect(last.map((effect) => effect.type)).toEqual(['leave_line', 'dial'])
  })

  test('S5 frames are acknowledged every second or every 50', () => {
    const world = new CallWorld().connect()
    for (let i = 0; i < 49; i++) world.hear({ type: 'x.event' })
    expect(sent(world.effects)).toEqual([{ type: 'parley.ack', seq: 50 }])
    world.hear({ type: 'x.event' })
    expect(sent(world.pass(1_000))).toEqual([{ type: 'parley.ack', seq: 51 }])
    expect(world.pass(1_000)).toEqual([])
  })

  test.each([
    [4004, 'session_gone'],
    [4020, 'replaced'],
    [4013, 'credential_revoked'],
  ])('S5 a return that is refused with %i is the end', (code, cause) => {
    const world = new CallWorld().connect()
    world.do({ type: 'closed', code: 1006 })
    world.do({ type: 'closed', code })
    expect(world.state).toMatchObject({ phase: 'ended', cause })
  })

  test('S7 a node that shuts down is left for another', () => {
    const world = new CallWorld().connect()
    world.hear({ type: 'parley.going_away', deadline_ms: 1_000 })
    world.hear({ type: 'parley.session_ended', reason: 'going_away', duration_ms: 1, usage: { cost_nano_usd: 0 } })
    world.do({ type: 'closed', code: 4200 })
    expect(world.state.phase).toBe('reconnecting')
  })
})

describe('the end', () => {
  test('S1 what Parley told comes before what the close code says', () => {
    const world = new CallWorld().connect()
    world.hear({ type: 'parley.session_ended', reason: 'upstream_ended', duration_ms: 1, usage: { cost_nano_usd: 7 } })
    world.do({ type: 'closed', code: 1000 })
    expect(world.state).toMatchObject({ phase: 'ended', cause: 'upstream_ended', talk: { costNanoUsd: 7 } })
  })

  test('W4 a refusal that says how long to wait is not tried before', () => {
    const world = new CallWorld()
    world.do({ type: 'start', isSpoken: false })
    world.do({ type: 'secret', value: 'ek_1' })
    world.hear({ type: 'error', error: { code: 'rate_limit_exceeded', retry_after_ms: 5_000 } })
    world.do({ type: 'closed', code: 4101 })
    expect(world.state).toMatchObject({ phase: 'ended', cause: 'too_many_sessions', retryAt: world.now + 5_000 })
  })

  test('V1 who hangs up says so, and everything is let go', () => {
    const world = new CallWorld().connect()
    expect(world.do({ type: 'hang_up' })).toEqual([{ type: 'hang_up' }, { type: 'close_audio' }])
    expect(world.state).toMatchObject({ phase: 'ended', cause: 'caller_hung_up' })
  })

  test('V1 nothing of the conversation before is in the next', () => {
    const world = new CallWorld().connect().answer('item_a', 100, 'Old')
    world.do({ type: 'hang_up' })
    world.do({ type: 'start', isSpoken: true })
    expect(world.state).toMatchObject({ phase: 'preparing', talk: { lines: [], costNanoUsd: 0 } })
  })
})

describe('muting', () => {
  test('V1 a turn in progress can still end: silence is sent for a moment, then nothing', () => {
    const world = new CallWorld().connect()
    world.do({ type: 'mute', isMuted: true })
    world.now += 1_400
    expect(sent(world.do({ type: 'captured', audio: 'AAAA' }))).toHaveLength(1)
    world.now += 200
    expect(world.do({ type: 'captured', audio: 'AAAA' })).toEqual([])
    world.do({ type: 'mute', isMuted: false })
    expect(sent(world.do({ type: 'captured', audio: 'AAAA' }))).toHaveLength(1)
  })
})
