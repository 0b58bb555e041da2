import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { merged, NOTHING_STORED, type StoredPolicy } from '../config/stored-policy.ts'
import { FaultError } from '../faults.ts'
import type { Log } from '../log.ts'
import type { PolicyChange, PolicyStore } from '../store/policy-store.ts'
import { later, ms } from '../units.ts'

/**
 * How often a node asks whether the policy has changed, ms. A notice tells it at once; this is for notices that get lost,
 * and short enough that a revoked key is dead everywhere within five seconds all the same.
 */
const ASK_EVERY = ms(2_000)
/** Tries of one change against others that are faster. */
const MOST_TRIES = 8

/**
 * The configuration in force: the policy file, and what admin routes have added to it in Redis. Readers ask synchronously
 * and always get a whole one; while Redis is away, the last one known stays in force.
 */
export class LivePolicy implements Disposable {
  readonly #store: PolicyStore
  readonly #clock: Clock
  readonly #log: Log
  readonly #applied: () => void
  #file: Config
  #stored = NOTHING_STORED
  #config: Config
  #watch: Disposable | null = null
  #timer: Disposable | null = null
  #isAway = false
  /** Reads are done one after another, so that an older one never replaces a newer. */
  #reading: Promise<void> = Promise.resolve()

  /** `applied` is called after every change and every look, so that it can also find what came in between. */
  constructor(file: Config, store: PolicyStore, clock: Clock, log: Log, applied: () => void) {
    this.#file = file
    this.#config = file
    this.#store = store
    this.#clock = clock
    this.#log = log
    this.#applied = applied
  }

  /** Resolves once what is stored is in force. Rejects when it cannot be read: a node that knows half would refuse callers. */
  async start(): Promise<void> {
    this.#take(await this.#store.read())
    this.#watch = this.#store.watch(() => void this.#look())
    this.#askAgain()
  }

  get config(): Config {
    return this.#config
  }

  /** The part that only the policy file can change. */
  get file(): Config {
    return this.#file
  }

  get stored(): StoredPolicy {
    return this.#stored
  }

  /** A new policy file. */
  reload(file: Config): void {
    this.#file = file
    this.#take(this.#stored)
  }

  /**
   * Changes what is stored, everywhere. `decide` is given what is stored now and says what becomes of it, or throws; it is
   * asked again when somebody else was faster. Throws `store_unavailable`.
   */
  async change(decide: (stored: StoredPolicy) => PolicyChange): Promise<void> {
    for (let i = 0; i < MOST_TRIES; i++) {
      const stored = await this.#store.read().catch(away)
      const change = decide(stored)
      const id = randomUUID()
      const put = () => this.#store.change(stored.revision, id, change)
      // Asked twice, with one id: a change whose answer was lost must not be told as one that failed.
      const revision = await put().catch(put).catch(away)
      if (revision === null) continue
      // It is made, whatever becomes of the reading; the next look finds it.
      return this.#refresh().catch(() => undefined)
    }
    throw new FaultError('overloaded', 'Too many changes at once.', { retryAfterMs: 1_000 })
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]()
    this.#timer?.[Symbol.dispose]()
  }

  #askAgain(): void {
    this.#timer = this.#clock.at(later(this.#clock.now(), ASK_EVERY), () => {
      void this.#look()
      this.#askAgain()
    })
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    try {
      if ((await this.#store.revision()) !== this.#stored.revision) await this.#refresh()
      else this.#applied()
      this.#isAway = false
    } catch (error) {
      if (!this.#isAway) this.#log.warn({ err: error }, 'stored policy not read: the last one known stays')
      this.#isAway = true
    }
  }

  #refresh(): Promise<void> {
    const read = this.#reading.catch(() => undefined).then(async () => this.#take(await this.#store.read()))
    this.#reading = read
    return read
  }

  #take(stored: StoredPolicy): void {
    this.#stored = stored
    this.#config = merged(this.#file, stored, (what) => this.#log.error({ what }, 'stored policy not understood'))
    this.#applied()
  }
}

function away(cause: unknown): never {
  throw new FaultError('store_unavailable', 'The policy cannot be changed right now.', { cause, retryAfterMs: 2_000 })
}
