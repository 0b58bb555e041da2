import { describe, expect, test } from 'vitest'
import { noise, pcm, silence, speech } from '../../fixtures/index.ts'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream, SESSION_CREATED } from '../support/raw-upstream.ts'

type Session = NonNullable<NonNullable<Parameters<typeof Parley.start>[0]>['policy']>['plans']

const plan = (session: object): { plans: Session } => ({ plans: { default: { session } } as Session })

/** How far from its limit a session may end, ms. */
const ON_TIME = 250

/** Audio as a microphone sends it, in real time, until the socket closes. */
function openMicrophone(caller: Caller, sound: Buffer): Disposable {
  let at = 0
  const timer = setInterval(() => {
    const piece = sound.subarray(at, at + 1_920)
    at = (at + 1_920) % sound.length
    caller.send({ type: 'input_audio_buffer.append', audio: piece.toString('base64') })
  }, 40)
  caller.socket.on('close', () => clearInterval(timer))
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

async function lifetime(caller: Caller): Promise<{ ms: number; code: number; reason: string }> {
  const created = caller.times[caller.events.findIndex((event) => event.type === 'session.created')] as number
  const { at, code } = await caller.closed()
  const error = caller.of('error').at(-1)?.error as { code: string } | undefined
  return { ms: at - created, code, reason: error?.code ?? '' }
}

const noDetection = {
  type: 'session.update',
  session: { type: 'realtime', audio: { input: { turn_detection: null } } },
}

describe('the length cap', () => {
  test("S2 warns, then ends in OpenAI's own words, whatever is going on", async () => {
    await using parley = await Parley.start({ policy: plan({ maxDuration: '3s', warnings: ['1s'], idle: null }) })
    using caller = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
    using _microphone = openMicrophone(caller, pcm(speech.weather))
    const end = await lifetime(caller)
    expect(end).toMatchObject({ code: 4010, reason: 'session_expired' })
    expect(Math.abs(end.ms - 3_000)).toBeLessThan(ON_TIME)
    expect(caller.of('parley.warning')).toMatchObject([{ limit: 'length' }])
    expect(Number(caller.of('parley.warning')[0]?.remaining_ms)).toBeGreaterThan(750)
    expect(caller.of('parley.session_ended')).toMatchObject([{ reason: 'session_expired' }])
  })

  test('S2 wrap-up: the model is asked to say goodbye, and the end still comes on time', async () => {
    const wrapUp = { before: '1500ms', instructions: 'say: Goodbye and thank you.' }
    await using parley = await Parley.start({ policy: plan({ maxDuration: '3s', warnings: [], idle: null, wrapUp }) })
    using caller = await Caller.connect(parley.door(), demo.key)
    const goodbye = await caller.next('response.output_audio_transcript.done')
    expect(goodbye.transcript).toContain('Goodbye')
    expect(Math.abs((await lifetime(caller)).ms - 3_000)).toBeLessThan(ON_TIME)
  })
})

describe('the idle cutoff', () => {
  const idle = plan({ idle: { limit: '2s', warnBefore: '1s' }, toolTimeout: '20s' })

  test.each([
    ['nothing at all', null],
    ['silence', silence(4_000)],
    ['steady noise', noise('white', 4_000, 0.1)],
    ['hum', noise('hum', 4_000, 0.2)],
    ['keyboard clicks', noise('clicks', 4_000, 0.1)],
    ['an empty room', noise('room', 4_000, 0.1)],
  ])('S3 an open microphone with %s is cut, with detection at the provider and at the broker', async (_, sound) => {
    await using parley = await Parley.start({ policy: idle })
    await Promise.all(
      [false, true].map(async (atBroker) => {
        using caller = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)
        if (atBroker) {
          caller.send(noDetection)
          await caller.next('session.updated')
        }
        using _microphone = sound === null ? null : openMicrophone(caller, sound)
        const end = await lifetime(caller)
        expect(end).toMatchObject({ code: 4011, reason: 'idle_timeout' })
        expect(Math.abs(end.ms - 2_000), String(atBroker)).toBeLessThan(ON_TIME)
        expect(caller.of('parley.warning')).toMatchObject([{ limit: 'idle' }])
      }),
    )
  })

  test('S3 who speaks is not cut, heard by the provider or by the broker; then the clock starts', async () => {
    await using parley = await Parley.start({ policy: plan({ idle: { limit: '1500ms', warnBefore: '0s' } }) })
    const spoken = Buffer.concat([pcm(speech.weather), silence(500), pcm(speech.order)])
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.send(noDetection)
    await caller.next('session.updated')
    const begun = performance.now()
    using _microphone = openMicrophone(caller, Buffer.concat([spoken, silence(60_000)]))
    const { at } = await caller.closed()
    // The recording lasts 7.3 s; its last word ends about 0.3 s before its end.
    expect(at - begun).toBeGreaterThan(spoken.length / 48 + 800)
    expect(at - begun).toBeLessThan(spoken.length / 48 + 3_500)
  })

  test('S3 who listens to an answer that arrived faster than it plays is not cut', async () => {
    await using parley = await Parley.start({ policy: idle })
    using caller = await Caller.connect(parley.door(), demo.key)
    await caller.ask('speak for 6 s')
    const done = performance.now()
    const { at } = await caller.closed()
    const arrived = caller.times[
      caller.events.findIndex((event) => event.type === 'response.output_audio.delta')
    ] as number
    // It plays for 6 s from its first piece on; then the idle limit of 2 s runs.
    expect(Math.abs(at - arrived - 8_000)).toBeLessThan(ON_TIME + 150)
    expect(done - arrived).toBeLessThan(3_000)
  })

  test('S3 nor one whose tool takes its time', async () => {
    await using parley = await Parley.start({ policy: idle })
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.send({
      type: 'session.update',
      session: { type: 'realtime', tools: [{ type: 'function', name: 'look', parameters: {} }] },
    })
    await caller.ask('call look {}')
    const call = await caller.next('response.function_call_arguments.done')
    const { promise: slowTool, resolve } = Promise.withResolvers<void>()
    setTimeout(resolve, 5_000)
    await slowTool
    expect(caller.closure).toBeNull()
    caller.send({
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id: call.call_id, output: '1' },
    })
    const answered = performance.now()
    const { at } = await caller.closed()
    expect(Math.abs(at - answered - 2_000)).toBeLessThan(ON_TIME)
  })

  test('S3 before the cut the model asks whether anybody is there, once', async () => {
    const nudge = { times: 1, instructions: 'say: Are you still there?' }
    await using parley = await Parley.start({ policy: plan({ idle: { limit: '1s', warnBefore: '0s', nudge } }) })
    using caller = await Caller.connect(parley.door(), demo.key)
    await caller.closed()
    const asked = caller.of('response.output_audio_transcript.done')
    expect(asked.length).toBe(1)
    expect(asked[0]?.transcript).toContain('still there')
  })

  test('S3 events that mean nothing do not hold the clock', async () => {
    const upstream = await RawUpstream.start(SESSION_CREATED)
    await using _upstream = upstream
    await using parley = await Parley.start({ provider: upstream.baseUrl, policy: idle })
    using caller = await Caller.connect(parley.door(), demo.key)
    const timer = setInterval(() => {
      caller.send({ type: 'session.update', session: { type: 'realtime' } })
      caller.socket.ping()
    }, 100)
    const end = await lifetime(caller)
    clearInterval(timer)
    expect(Math.abs(end.ms - 2_000)).toBeLessThan(ON_TIME)
  })
})
