import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Bookkeeper } from '../../src/broker/money/bookkeeper.ts'
import type { CallContext, Payer } from '../../src/calls/media-calls.ts'
import type { TranscriptionCall } from '../../src/calls/media-provider.ts'
import { type OpenMediaCalls, openMediaCalls } from '../../src/calls/open-media-calls.ts'
import { systemClock } from '../../src/clock.ts'
import type { Config } from '../../src/config/config.ts'
import { configFrom } from '../../src/config/read-config.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import type { BudgetLevel } from '../../src/limits/limits.ts'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { Metrics } from '../../src/metrics.ts'
import { keys } from '../../src/store/keys.ts'
import { RedisLimitStore } from '../../src/store/redis-limit-store.ts'
import type { Store } from '../../src/store/store.ts'
import { ms } from '../../src/units.ts'
import type { MediaDoor } from '../../src/upstream/loopback/media/media-door.ts'
import { LoopbackMedia } from '../../src/upstream/loopback/media/media-server.ts'
import { quiet } from './limits.ts'
import { policy } from './parley.ts'
import { TestStore } from './store.ts'
import { TempFolder } from './temp-folder.ts'

/** Models of a test installation, their prices those of OpenAI. */
const MODELS: PolicyInput['models'] = {
  'whisper-1': { provider: 'play', kind: 'transcription' },
  'gpt-4o-transcribe': { provider: 'play', kind: 'transcription' },
  'gpt-4o-mini-transcribe': { provider: 'play', kind: 'transcription' },
  'gpt-4o': { provider: 'play', kind: 'vision' },
  'gpt-4o-mini': { provider: 'play', kind: 'vision' },
}

/** One installation whose worker processes are played here, with the provider in reach of the test. */
export class MediaWorld implements AsyncDisposable {
  readonly service: MediaDoor
  readonly store: Store
  readonly folder: string
  readonly limits: RedisLimitStore
  /** Of budgets, as calls have found them. */
  readonly levels: { readonly level: BudgetLevel; readonly tenant: string }[] = []
  config: Config
  readonly #socket: string
  readonly #stack: AsyncDisposableStack

  private constructor(store: Store, folder: string, media: LoopbackMedia, socket: string, stack: AsyncDisposableStack) {
    this.store = store
    this.folder = folder
    this.service = media.door
    this.limits = new RedisLimitStore(store.redis)
    this.#socket = socket
    this.#stack = stack
    this.config = this.configOf({})
  }

  static async open(): Promise<MediaWorld> {
    await using stack = new AsyncDisposableStack()
    const { store } = stack.use(await TestStore.open())
    const folder = stack.use(new TempFolder())
    const socket = join(folder.path, 'play.sock')
    const media = stack.use(await LoopbackMedia.start(socket, systemClock))
    return new MediaWorld(store, folder.path, media, socket, stack.move())
  }

  configOf(changes: Partial<PolicyInput>): Config {
    const quick = { backoff: { first: '1ms', longest: '2ms' } }
    const media = { ...changes.media, calls: { ...quick, ...changes.media?.calls } } as PolicyInput['media']
    return configFrom(policy(null, this.folder, { models: MODELS, ...changes, media }))
  }

  /** Everything of the test before is forgotten. */
  async reset(changes: Partial<PolicyInput> = {}): Promise<void> {
    this.config = this.configOf(changes)
    this.levels.length = 0
    this.service.bills.length = 0
    this.service.next.length = 0
    this.service.requests = 0
    this.service.mostOpen = 0
    for (const key of await this.keysLike('*')) await this.store.redis.del(key)
  }

  async keysLike(pattern: string): Promise<string[]> {
    const found: string[] = []
    for (let cursor = '0'; ; ) {
      const [next, names] = await this.store.redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000)
      found.push(...names)
      cursor = next
      if (cursor === '0') return found
    }
  }

  /** One worker process. `limits`: a store that fails, for some of them. */
  async worker(limits: LimitStore = this.limits): Promise<OpenMediaCalls> {
    const keeper = new Bookkeeper(`w${counter++}`, this.folder, limits, systemClock, quiet, new Metrics())
    const open = await openMediaCalls({
      ...{ clock: systemClock, log: quiet, store: this.store, metrics: new Metrics(), random: () => 0 },
      config: () => this.config,
      announcer: { budgetLevel: async (level, { tenant }) => void this.levels.push({ level, tenant }) },
      node: { limits, keeper, loopbackSocket: this.#socket },
    })
    return {
      ...open,
      [Symbol.asyncDispose]: async () => {
        await open[Symbol.asyncDispose]()
        await keeper[Symbol.asyncDispose]()
      },
    }
  }

  /** Records in the order of booking. */
  async journal(): Promise<LedgerRecord[]> {
    const entries = await this.store.redis.xrange(keys.journal(keys.limits), '-', '+')
    return entries.map(([, fields]) => JSON.parse(fields[1] as string) as LedgerRecord)
  }

  /** Resolves once so many records are booked. */
  async booked(count: number): Promise<LedgerRecord[]> {
    for (;;) {
      const journal = await this.journal()
      if (journal.length >= count) return journal
      await new Promise(setImmediate)
    }
  }

  /** Resolves once nothing is held for any call. */
  async nothingHeld(): Promise<void> {
    while ((await this.store.redis.zcard(`${keys.limits}:leases`)) > 0) await new Promise(setImmediate)
  }

  /** A recording of its own: `seconds` of a tone that is different for every `seed`. */
  recording(seed: string, seconds = 4): TranscriptionCall & CallContext {
    const samples = Math.round(seconds * 16_000)
    const file = Buffer.alloc(44 + samples * 2)
    file.write('RIFF', 0)
    file.writeUInt32LE(file.length - 8, 4)
    file.write('WAVEfmt ', 8)
    file.writeUInt32LE(16, 16)
    file.writeUInt16LE(1, 20)
    file.writeUInt16LE(1, 22)
    file.writeUInt32LE(16_000, 24)
    file.writeUInt32LE(32_000, 28)
    file.writeUInt16LE(2, 32)
    file.writeUInt16LE(16, 34)
    file.write('data', 36)
    file.writeUInt32LE(samples * 2, 40)
    file.write(seed, 44)
    const path = join(this.folder, `${seed}.wav`)
    writeFileSync(path, file)
    return {
      ...{ model: 'whisper-1', path, mime: 'audio/wav', bytes: file.length, duration: ms(seconds * 1_000) },
      ...{ language: null, prompt: null, temperature: null, format: 'verbose_json', timestamps: ['segment'] },
      ...{ logprobs: false, escalateTo: null, sha256: createHash('sha256').update(file).digest('hex') },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

let counter = 0

export const payer = (job: string, changes: Partial<Payer> = {}): Payer => ({
  ...{ tenant: 'acme', user: 'ann', keyId: 'key00001', job, maxCost: null },
  ...changes,
})
