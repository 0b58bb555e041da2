import { initializeLogger, type llm } from '@livekit/agents'
import * as livekit from '@livekit/agents-plugin-openai'
import { AudioFrame } from '@livekit/rtc-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { speech } from '../../fixtures/index.ts'
import { keyId, makeKey } from '../../src/auth/keys.ts'
import { createLogger } from '../../src/log.ts'
import { microphone, sentence } from '../support/microphone.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

initializeLogger({ pretty: false, level: 'silent' })

/** What the door did with each caller, in the order it happened. */
class DoorLog {
  readonly admitted: number[] = []
  readonly refused: { at: number; code: string }[] = []
  readonly log = createLogger('info', { write: (line: string) => this.#read(line) })
  #wake = Promise.withResolvers<void>()

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#wake.promise
  }

  #read(line: string): void {
    const { msg, code } = JSON.parse(line) as { msg: string; code?: string }
    if (msg === 'session admitted') this.admitted.push(performance.now())
    if (msg === 'connection refused') this.refused.push({ at: performance.now(), code: code ?? '' })
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }
}

interface PluginError {
  recoverable: boolean
  error: Error
}

/** A session of the plug-in and its errors. It connects by itself, and comes back by itself after any close. */
class Plugin implements AsyncDisposable {
  readonly session: ReturnType<livekit.realtime.RealtimeModel['session']>
  readonly errors: PluginError[] = []
  readonly gaveUp: Promise<PluginError>

  constructor(parley: Parley, apiKey: string, model = 'gpt-realtime') {
    const options = { type: 'server_vad', threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 400 } as const
    const turnDetection = { ...options, create_response: true, interrupt_response: true }
    // A trailing slash: people write their base URLs with and without.
    const baseURL = `${parley.url}/v1/`
    this.session = new livekit.realtime.RealtimeModel({ apiKey, baseURL, model, turnDetection }).session()
    const { promise, resolve } = Promise.withResolvers<PluginError>()
    this.gaveUp = promise
    this.session.on('error', (error: unknown) => {
      const told = error as PluginError
      this.errors.push(told)
      if (!told.recoverable) resolve(told)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A session that gave up rejects with what it gave up for.
    await this.session.close().catch(() => undefined)
  }
}

describe('the LiveKit plug-in, unmodified', () => {
  const door = new DoorLog()
  const closed = makeKey('test', '')
  let parley: Parley
  beforeAll(async () => {
    const tenants = {
      acme: { keys: [{ id: keyId(demo.key) ?? '', hash: demo.hash }] },
      closed: { suspended: true, keys: [{ id: keyId(closed.key) ?? '', hash: closed.hash }] },
    }
    parley = await Parley.start({ log: door.log, policy: { tenants, log: { level: 'info' } } })
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  test('W1 a spoken turn and its answer', async () => {
    await using plugin = new Plugin(parley, demo.key)
    const { promise: generated, resolve } = Promise.withResolvers<llm.GenerationCreatedEvent>()
    plugin.session.on('generation_created', resolve)
    await plugin.session.updateInstructions('Be brief.')
    using _ = microphone(sentence(speech.weather), (piece) => {
      const samples = new Int16Array(piece.length / 2)
      for (let i = 0; i < samples.length; i++) samples[i] = piece.readInt16LE(i * 2)
      plugin.session.pushAudio(new AudioFrame(samples, 24_000, 1, samples.length))
    })
    let samples = 0
    for await (const message of (await generated).messageStream) {
      for await (const frame of message.audioStream) samples += frame.samplesPerChannel
    }
    // More than a second.
    expect(samples).toBeGreaterThan(24_000)
    expect(plugin.errors).toEqual([])
  })

  test.each([
    ['a wrong key', `${demo.key.slice(0, -1)}?`, 'invalid_api_key'],
    ['a suspended account', closed.key, 'tenant_suspended'],
  ])('W4 %s: it gives up after one try', async (_, key, code) => {
    const before = door.refused.length
    await using plugin = new Plugin(parley, key)
    await plugin.gaveUp
    expect(door.refused.slice(before).map((refusal) => refusal.code)).toEqual([code])
  })

  test('W4 a refusal that it does not take for final is held longer each time', async () => {
    const before = door.refused.length
    await using _ = new Plugin(parley, demo.key, 'gpt-9')
    await door.until(() => door.refused.length >= before + 4)
    const [first, ...later] = door.refused.slice(before)
    // 250 ms, 500 ms and 1 s lie between four tries.
    expect((later.at(-1)?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(1_700)
  })

  test('W4 a provider that refuses everybody is not stormed through the broker', async () => {
    await using upstream = await RawUpstream.start({
      type: 'error',
      event_id: 'event_1',
      error: { type: 'invalid_request_error', code: 'invalid_api_key', message: 'no', param: null, event_id: null },
    })
    const log = new DoorLog()
    await using broken = await Parley.start({
      provider: upstream.baseUrl,
      log: log.log,
      policy: { log: { level: 'info' } },
    })
    await using _ = new Plugin(broken, demo.key)
    await log.until(() => log.admitted.length >= 4)
    expect((log.admitted[3] ?? 0) - (log.admitted[0] ?? 0)).toBeGreaterThan(1_700)
  })

  test('W4 S3 after an idle cut it comes back for another idle time, not in a storm', async () => {
    const log = new DoorLog()
    const session = { idle: { limit: '1s', warnBefore: '200ms' } }
    await using quiet = await Parley.start({
      log: log.log,
      policy: { log: { level: 'info' }, plans: { default: { session } } },
    })
    await using _ = new Plugin(quiet, demo.key)
    await log.until(() => log.admitted.length >= 3)
    expect((log.admitted[2] ?? 0) - (log.admitted[0] ?? 0)).toBeGreaterThan(2_000)
    expect(log.refused).toEqual([])
  })
})
