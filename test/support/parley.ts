import { pino } from 'pino'
import { hashKey, keyId, makeKey } from '../../src/auth/keys.ts'
import { systemClock } from '../../src/clock.ts'
import type { Config } from '../../src/config/config.ts'
import { configFrom } from '../../src/config/read-config.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import { LedgerDesk } from '../../src/ledger/ledger-desk.ts'
import { createLogger, type Log } from '../../src/log.ts'
import { Metrics } from '../../src/metrics.ts'
import { type Running, serve } from '../../src/serve.ts'
import { Store } from '../../src/store/store.ts'
import { Loopback } from '../../src/upstream/loopback/server.ts'
import { IsolatedVoiceDetection } from '../../src/voice/voice-detection.ts'
import { IsolatedMediaTools } from '../../workers/tools/isolated-media-tools.ts'
import { TempFolder } from './temp-folder.ts'

export { TempFolder }

export const silent: Log = pino({ level: 'silent' })

/** Keys that every test installation knows. */
export const demo = makeKey('test', '')
export const other = makeKey('test', '')
export const admin = makeKey('admin', '')

/** One for all nodes of a test file, as a process has one. */
export const voices = new IsolatedVoiceDetection(systemClock, silent)

/** Lines a node has logged, for tests that look at them. */
export class LogLines {
  readonly lines: string[] = []
  readonly log: Log = createLogger('debug', { write: (line: string) => void this.lines.push(line) })
}

/** A policy with a provider at `baseUrl`, one plan, two tenants; `changes` go on top. */
export function policy(baseUrl: string | null, dataDir: string, changes: Partial<PolicyInput> = {}): PolicyInput {
  return {
    listeners: [{ port: 0 }],
    dataDir,
    log: { level: 'silent' },
    security: { adminKeyHash: hashKey(admin.key, '') },
    door: { origins: ['*'], socketsPerAddress: 10_000, upgradesPerAddressPerSecond: 10_000, ...changes.door },
    drain: { deadline: '5s' },
    providers: {
      play: baseUrl === null ? { type: 'loopback' } : { type: 'openai', apiKey: 'sk-provider-secret', baseUrl },
      ...changes.providers,
    },
    models: { 'gpt-realtime': { provider: 'play' }, 'gpt-transcribe': { provider: 'play', kind: 'transcription' } },
    plans: { default: {} },
    tenants: {
      acme: { keys: [{ id: keyId(demo.key) ?? '', hash: demo.hash }] },
      zenith: { keys: [{ id: keyId(other.key) ?? '', hash: other.hash }] },
    },
    ...omit(changes, ['door', 'providers']),
  }
}

function omit<T extends object>(from: T, keys: readonly string[]): Partial<T> {
  return Object.fromEntries(Object.entries(from).filter(([key]) => !keys.includes(key))) as Partial<T>
}

export interface ParleyOptions {
  policy?: Partial<PolicyInput>
  log?: Log
  /** Base URL of another provider in place of the loopback. */
  provider?: string
  /** Keep a ledger, and answer for what was used. */
  ledger?: boolean
  /** Do work on media, so that there are drop-ins. */
  tools?: boolean
  /** Share the Redis of another installation: it stays that one's to close. */
  store?: Store
}

/** A node in this process, on a private Redis, with the provider played by a loopback of its own. */
export class Parley implements AsyncDisposable {
  readonly running: Running
  readonly loopback: Loopback
  readonly config: Config
  readonly store: Store
  readonly #stack: AsyncDisposableStack

  private constructor(running: Running, loopback: Loopback, config: Config, store: Store, stack: AsyncDisposableStack) {
    this.running = running
    this.loopback = loopback
    this.config = config
    this.store = store
    this.#stack = stack
  }

  static async start(options: ParleyOptions = {}): Promise<Parley> {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(new TempFolder())
    await voices.ready
    const loopback = stack.use(
      await Loopback.start({ listen: { port: 0 }, clock: systemClock, voices, key: 'sk-provider-secret' }),
    )
    const config = configFrom(policy(options.provider ?? loopback.baseUrl, folder.path, options.policy))
    const log = options.log ?? silent
    const store = options.store ?? stack.use(await Store.open(config, process.env.PATH, systemClock, silent))
    const metrics = new Metrics()
    const tenants = () => [...config.tenants.keys()]
    const ledger =
      options.ledger === true
        ? stack.use(
            await LedgerDesk.open(config.ledger, {
              clock: systemClock,
              log,
              store,
              registry: metrics.registry,
              tenants,
            }),
          )
        : null
    const settings = { ...config.media.tools, path: process.env.PATH }
    const tools =
      options.tools === true ? stack.use(await IsolatedMediaTools.start(settings, systemClock, silent)) : null
    const running = await serve(config, { clock: systemClock, log, store, voices, metrics, ledger, tools })
    stack.defer(async () => {
      running.stopNow()
      await running.drain()
    })
    return new Parley(running, loopback, config, store, stack.move())
  }

  /** `http://127.0.0.1:…` */
  get url(): string {
    return this.running.urls[0] as string
  }

  /** The live door with its query. */
  door(query = 'model=gpt-realtime'): string {
    return `${this.url.replace('http', 'ws')}/v1/realtime?${query}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
