import type { LedgerRecord } from '../meter/record.ts'
import type { Ms } from '../units.ts'
import type { Account, AccountState, BudgetLevel, Holding, Refusal, Room } from './limits.ts'

/** How long a slot or a lease outlives the last sign of its node. */
export const LEASE_MS = 15_000
export const LEASE_BEAT_MS = 5_000

/** An answer to a reservation. */
export type Grant =
  | {
      readonly ok: true
      /** What the session now holds: as asked, or less, but never less than the least asked for. */
      readonly held: Holding
      /** What is left beyond it, in the tightest account. */
      readonly room: Room
      readonly level: BudgetLevel | null
    }
  | { readonly ok: false; readonly refusal: Refusal; readonly room: Room; readonly level: BudgetLevel | null }

export interface Reservation {
  /** The session's own id: it has one lease. */
  readonly session: string
  readonly accounts: readonly Account[]
  /** What the lease is to hold in all from now on: an absolute amount, so that asking twice changes nothing. */
  readonly want: Holding
  /** The least that is of any use; below it the request is refused and the lease stays as it was. */
  readonly least: Holding
  /**
   * A standing lease covers responses that may begin by themselves. It is granted only while at least half of what is
   * unspent stays free, so that sessions that merely wait do not starve those that speak.
   */
  readonly standing: boolean
}

/** A response under way, so that it can be booked if its node dies: the record as it would be if nothing more is heard. */
export interface Running {
  /** Whose lease it runs under. */
  readonly session: string
  readonly record: LedgerRecord
}

export interface Settlement {
  readonly record: LedgerRecord
  readonly accounts: readonly Account[]
  /** What the session's lease holds afterwards, at most; null where the session has no lease. */
  readonly keep: Holding | null
  /** The lease it was bought under, where that is not the session's own: each step of a job has one. */
  readonly lease?: string
}

export interface Settled {
  /** False: this record was booked before, and nothing was counted again. */
  readonly isNew: boolean
  /** What the lease holds now; nothing where the session has none. */
  readonly held: Holding
  /** What this record cost beyond what the lease held: booked all the same, and a sign that an estimate was too low. */
  readonly overdraft: Holding
  readonly room: Room
  readonly level: BudgetLevel | null
}

/**
 * The one truth about limits and money, shared by all nodes. Every method is one atomic script in Redis, in Redis's own
 * time; all of a decision's limits are judged together, all or nothing (L2). Every method may be called again after a lost
 * reply without counting twice. Rejects with FaultError `store_unavailable` when Redis is away.
 */
export interface LimitStore {
  /**
   * Takes slots and counts a start, in every account or in none. Admitting the same session again only renews, and books
   * what was running as estimated: it goes on at another node, because its own has died.
   */
  admit(
    session: string,
    accounts: readonly Account[],
  ): Promise<{ ok: true; level: BudgetLevel | null } | { ok: false; refusal: Refusal }>
  /**
   * Renews slots and leases of sessions that this node holds; every `LEASE_BEAT_MS`. Returns those that have none any more:
   * their lease was reaped, and they must be admitted anew.
   */
  beat(sessions: readonly string[]): Promise<string[]>
  reserve(reservation: Reservation): Promise<Grant>
  /** Notes that a response has begun under the session's lease; false when the session has none any more. */
  running(running: Running): Promise<boolean>
  /**
   * Books a record, once for ever, and takes its cost out of the lease. The truth about a record that was booked as an
   * estimate is booked as a correction; corrections are made here and never handed in.
   */
  settle(settlement: Settlement): Promise<Settled>
  /**
   * Gives back slots and whatever the lease holds: the session is over. What it has not settled is booked as estimated, but
   * for records that are known not to have been bought.
   */
  release(session: string, notBought?: readonly string[]): Promise<void>
  /**
   * Ends leases that nobody renews any more: what was running under them is booked as estimated, the rest is given back.
   * Returns how many ended. Any number of processes may call it, at any time.
   */
  reap(most: number): Promise<number>
  state(accounts: readonly Account[]): Promise<AccountState[]>
}

export const RECORDS_KEPT_MS = (48 * 3_600_000) as Ms
