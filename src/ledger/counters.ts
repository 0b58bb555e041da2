import type { AccountKind } from '../limits/limits.ts'
import type { NanoUsd } from '../units.ts'
import type { LedgerAccount } from './ledger.ts'
import type { Period } from './period.ts'

/** An account by its name in Redis. */
export interface CounterAccount {
  readonly kind: AccountKind
  readonly id: string
}

/** The counters of money spent that limits are judged by. The ledger is the truth, and they are its cache. */
export interface SpendCounters {
  /** What the counter says; 0 where there is none. */
  spentOf(account: CounterAccount, period: Period): Promise<NanoUsd>
  /** Puts this in place of whatever it said. */
  setSpent(account: CounterAccount, period: Period, nano: NanoUsd): Promise<void>
}

/** How accounts of the ledger are called in Redis: the same function that sessions are admitted with. */
export type CounterName = (account: LedgerAccount) => CounterAccount
