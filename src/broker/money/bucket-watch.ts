import { limitsSpending } from '../../limits/accounts.ts'
import { fullest, type Level, levelsOf } from '../../limits/buckets.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import type { Account } from '../../limits/limits.ts'
import type { SessionHead } from '../../store/session-records.ts'

/** Sessions looked at in one round; the others keep what was seen of them until it is their turn. */
const SESSIONS_A_ROUND = 250

/** The fullest token bucket and the fullest budget of a session. */
export interface SessionLevels {
  readonly rate: Level | null
  readonly money: Level | null
}

const NONE: SessionLevels = { rate: null, money: null }

/** How full the buckets of sessions are, as the shared store has them; looked at only while somebody wants to know. */
export class BucketWatch {
  readonly #store: LimitStore
  readonly #accountsOf: (head: SessionHead) => readonly Account[]
  #seen = new Map<string, SessionLevels>()
  /** Where the next round begins. */
  #turn = 0
  #isLooking = false

  constructor(store: LimitStore, accountsOf: (head: SessionHead) => readonly Account[]) {
    this.#store = store
    this.#accountsOf = accountsOf
  }

  of(session: string): SessionLevels {
    return this.#seen.get(session) ?? NONE
  }

  /** One round. Never rejects: while the store is away what was seen last stays. */
  async look(heads: readonly SessionHead[]): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      await this.#look(heads)
    } catch {
      // The next round may do better.
    } finally {
      this.#isLooking = false
    }
  }

  async #look(heads: readonly SessionHead[]): Promise<void> {
    const from = this.#turn < heads.length ? this.#turn : 0
    const turn = heads.slice(from, from + SESSIONS_A_ROUND)
    this.#turn = from + turn.length
    const limited = turn.map((head) => ({ id: head.id, accounts: this.#accountsOf(head).filter(limitsSpending) }))
    const levels = await this.#levels(limited.flatMap(({ accounts }) => accounts))
    const alive = new Set(heads.map(({ id }) => id))
    const seen = new Map([...this.#seen].filter(([id]) => alive.has(id)))
    for (const { id, accounts } of limited) {
      const all = accounts.flatMap((account) => levels.get(nameOf(account)) ?? [])
      const isRate = ({ limit }: Level) => limit === 'tokens'
      seen.set(id, { rate: fullest(all.filter(isRate)), money: fullest(all.filter((level) => !isRate(level))) })
    }
    this.#seen = seen
  }

  async #levels(accounts: readonly Account[]): Promise<Map<string, Level[]>> {
    const distinct = [...new Map(accounts.map((account) => [nameOf(account), account])).values()]
    const states = await this.#store.state(distinct)
    return new Map(states.map((state) => [nameOf(state), levelsOf(state)]))
  }
}

/** One account may have different limits for sessions of different plans; the levels of the last one asked for are shown. */
const nameOf = ({ kind, id }: Pick<Account, 'kind' | 'id'>) => `${kind}:${id}`
