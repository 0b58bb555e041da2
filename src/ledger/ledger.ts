import type { AccountKind } from '../limits/limits.ts'
import type { LedgerRecord } from '../meter/record.ts'
import type { Saving } from '../meter/savings.ts'
import type { Usage } from '../meter/usage.ts'
import type { Instant, NanoUsd, Tokens } from '../units.ts'
import type { Period } from './period.ts'

/** What sums can be broken down by, in the order in which the columns stand. */
export const GROUPS = ['day', 'tenant', 'user', 'model', 'session'] as const
export type Group = (typeof GROUPS)[number]

/** Which records are meant. Null: all. */
export interface RecordFilter {
  /** First instant, and the first one after it. */
  readonly from: Instant
  readonly to: Instant
  readonly tenant: string | null
  readonly user: string | null
  readonly model: string | null
  readonly session: string | null
}

export interface SumsQuery extends RecordFilter {
  /** One row in all when empty. */
  readonly groupBy: readonly Group[]
  /** At most so many rows. */
  readonly most: number
  /** The `key` of the last row of the page before. */
  readonly after: GroupKey | null
}

/** Values of the groups asked for, in the order of `GROUPS`: a day as its number since 1970, a missing user as ''. */
export type GroupKey = readonly (string | number)[]

export interface UsageSum {
  readonly key: GroupKey
  /** Things bought; what corrects an earlier estimate is no purchase of its own. */
  readonly requests: number
  readonly usage: Omit<Usage, 'estimated'>
  readonly weighted: Tokens
  readonly cost: NanoUsd
  /** The part of `requests` and of `cost` that rests on a guess which no truth has replaced yet. */
  readonly estimatedRequests: number
  readonly estimatedCost: NanoUsd
  readonly savings: readonly SavingSum[]
}

/** Savings of one kind under one counterfactual, added up. */
export type SavingSum = Omit<Saving, 'rowId'>

export interface ListQuery extends RecordFilter {
  readonly most: number
  /** The `seq` of the last record of the page before; 0 for the first page. */
  readonly after: number
}

/** A record on its way into the ledger. */
export interface Posting {
  readonly record: LedgerRecord
  /** The instant whose day and month its cost was counted in, by Redis's clock; a correction's is that of its estimate. */
  readonly booked: Instant
}

/** A record and its place in the ledger. */
export interface Booked extends Posting {
  readonly seq: number
}

/** Whose money it is, as the ledger knows it: users by the tenant's own names for them. */
export type LedgerAccount =
  | { readonly kind: 'installation' }
  | { readonly kind: 'tenant'; readonly tenant: string }
  | { readonly kind: 'user'; readonly tenant: string; readonly user: string }
  | { readonly kind: 'session'; readonly session: string }

export interface Spender {
  readonly account: LedgerAccount
  readonly nano: NanoUsd
}

/**
 * M3: everything bought, for ever: durable and append-only. Under one id there is one truth, whatever arrives, in whatever
 * order and however often (see `admit`): a `usage`, or an `estimate` with at most one `correction`.
 *
 * Every method rejects with FaultError `store_unavailable` when the ledger is away or busy, and can then be called again:
 * appending the same records twice books them once. Sums past 2^53 (nine million dollars) reject with RangeError.
 */
export interface Ledger extends AsyncDisposable {
  /** A random name made with the ledger and kept in it, by which a journal knows whether this is its ledger. */
  readonly id: string
  /** Books all of these, or none, as where one is no record; resolves after they are durable, with how many were new. */
  append(postings: readonly Posting[]): Promise<number>
  /** Rows in ascending order of their keys. A day is that of the record's own `at`. */
  sums(query: SumsQuery): Promise<UsageSum[]>
  /** Records in the order in which they were booked. */
  list(query: ListQuery): Promise<Booked[]>
  /** Every record under these ids, at most two each. */
  find(ids: readonly string[]): Promise<Booked[]>
  /** What an account has spent in a period, by the instant it was booked at. */
  spent(account: LedgerAccount, period: Period): Promise<NanoUsd>
  /**
   * The accounts of one kind that spent the most in a period, dearest first. For sessions: those with a record in the
   * period, each with all it has ever spent.
   */
  spenders(kind: AccountKind, period: Period, most: number): Promise<Spender[]>
}

/** Every account that a record's cost counts in. */
export function accountsOfRecord(record: LedgerRecord): LedgerAccount[] {
  const { tenant, user, session } = record
  const own: LedgerAccount[] = [{ kind: 'installation' }, { kind: 'tenant', tenant }, { kind: 'session', session }]
  return user === null ? own : [...own, { kind: 'user', tenant, user }]
}
