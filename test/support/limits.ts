import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { LEASE_BEAT_MS } from '../../src/limits/limit-store.ts'
import { type Account, type AccountKind, type AccountLimits, type Holding, UNLIMITED } from '../../src/limits/limits.ts'
import { createLogger } from '../../src/log.ts'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { NO_TOKENS, NOTHING } from '../../src/meter/usage.ts'
import { RedisLimitStore } from '../../src/store/redis-limit-store.ts'
import { Store } from '../../src/store/store.ts'
import { type Instant, instant, nanoUsd, tokens } from '../../src/units.ts'

export const quiet = createLogger('silent', { write: () => undefined })

/** A private Redis in `folder`; whoever opens it closes it. */
export function openStore(folder: string): Promise<Store> {
  const config = configFrom({ dataDir: folder, models: {} })
  return Store.open(config, process.env.PATH, systemClock, quiet)
}

let rooms = 0

/** Stores that share one simulated time and one truth, apart from those of every other test. */
export class SimulatedLimits {
  now: Instant
  readonly root: string
  readonly store: RedisLimitStore
  readonly #redis: Store['redis']

  constructor(redis: Store['redis'], start = Date.UTC(2026, 10, 25, 12)) {
    this.#redis = redis
    this.now = instant(start)
    this.root = `test:{${rooms++}}`
    this.store = this.another()
  }

  /** The store of another node. */
  another(): RedisLimitStore {
    return new RedisLimitStore(this.#redis, { now: () => this.now, root: this.root })
  }

  pass(ms: number): void {
    this.now = instant(this.now + ms)
  }

  /** Time passes while the nodes of these sessions are alive. */
  async passBeating(ms: number, sessions: readonly string[]): Promise<void> {
    for (let left = ms; left > 0; left -= LEASE_BEAT_MS) {
      this.pass(Math.min(left, LEASE_BEAT_MS))
      await this.store.beat(sessions)
    }
  }

  /** Records of the journal, in order of booking. */
  async journal(): Promise<LedgerRecord[]> {
    const entries = await this.#redis.xrange(`${this.root}:journal`, '-', '+')
    return entries.map(([, fields]) => JSON.parse(fields[1] as string) as LedgerRecord)
  }
}

export function account(kind: AccountKind, id: string, limits: { [K in keyof AccountLimits]?: number } = {}): Account {
  return { kind, id, limits: { ...UNLIMITED, ...limits } as AccountLimits }
}

export const hold = (money: number, weighted: number): Holding => ({ money: nanoUsd(money), tokens: tokens(weighted) })

/** A response that cost `cost` nano-dollars and `weighted` tokens, all of them written as text. */
export function record(session: string, id: string, cost: number, weighted: number): LedgerRecord {
  return {
    id: `${session}:${id}`,
    kind: 'response',
    basis: 'usage',
    at: instant(Date.UTC(2026, 10, 25, 12)),
    tenant: 't',
    user: 'u',
    keyId: 'k',
    session,
    model: 'gpt-realtime',
    provider: 'play',
    providerModel: 'gpt-realtime',
    providerId: id,
    status: 'completed',
    usage: { ...NOTHING, out: { ...NO_TOKENS, text: tokens(weighted) } },
    cost: nanoUsd(cost),
    priceRow: 'row',
    estimated: false,
    weighted: tokens(weighted),
    savings: [],
  }
}
