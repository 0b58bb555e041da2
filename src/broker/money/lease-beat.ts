import type { Clock } from '../../clock.ts'
import { LEASE_BEAT_MS, type LimitStore } from '../../limits/limit-store.ts'
import type { Log } from '../../log.ts'
import { later, ms } from '../../units.ts'

/** Leases of dead nodes ended by one beat. */
const REAPED_AT_ONCE = 100

/** Renews what this node's sessions hold, and ends what nodes that died have left (L4). */
export class LeaseBeat implements Disposable {
  readonly #clock: Clock
  readonly #log: Log
  readonly #store: LimitStore
  readonly #sessions: () => string[]
  #timer: Disposable | null = null

  constructor(clock: Clock, log: Log, store: LimitStore, sessions: () => string[]) {
    this.#clock = clock
    this.#log = log
    this.#store = store
    this.#sessions = sessions
    this.#schedule()
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = null
  }

  #schedule(): void {
    this.#timer = this.#clock.at(later(this.#clock.now(), ms(LEASE_BEAT_MS)), () => {
      this.#schedule()
      this.#beat().catch(() => this.#log.debug({}, 'leases not renewed: the store is away'))
    })
  }

  async #beat(): Promise<void> {
    const sessions = this.#sessions()
    if (sessions.length > 0) await this.#store.beat(sessions)
    await this.#store.reap(REAPED_AT_ONCE)
  }
}
