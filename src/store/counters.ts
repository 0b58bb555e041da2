import type { Redis } from 'ioredis'
import type { AccountKind } from '../limits/limits.ts'
import { type NanoUsd, nanoUsd } from '../units.ts'
import { keys } from './keys.ts'
import { fromStore, type LimitScripts, withLimitScripts } from './limit-scripts.ts'

/** `budget`, a UTC day or a UTC month: `day:2026-11-25`, `month:2026-11`. */
export type Period = 'budget' | `day:${string}` | `month:${string}`

/** What one account has spent in one period. */
export interface Counter {
  readonly kind: AccountKind
  readonly id: string
  readonly period: Period
  readonly spent: NanoUsd
}

export type CounterName = Omit<Counter, 'spent'>

/** A counter that does not say what the ledger says. */
export interface Drift {
  readonly name: CounterName
  readonly counted: NanoUsd
  readonly booked: NanoUsd
}

const DAY_MS = 86_400_000
/** Longer than the scripts keep a counter whose period has just begun, so that one put right never goes sooner. */
const KEPT_MS = { budget: 2 * DAY_MS, day: 4 * DAY_MS, month: 71 * DAY_MS } as const

/**
 * Counters of money are a cache of the ledger: rebuilt from it where they were lost, and compared with it. Rejects with
 * FaultError `store_unavailable` when Redis is away.
 */
export class Counters {
  readonly #redis: Redis & LimitScripts
  readonly #root: string

  constructor(redis: Redis, root: string = keys.limits) {
    this.#redis = withLimitScripts(redis)
    this.#root = root
  }

  /** In the order asked for; zero where nothing is counted. */
  async spentOf(names: readonly CounterName[]): Promise<NanoUsd[]> {
    if (names.length === 0) return []
    const values = await fromStore(this.#redis.mget(names.map((name) => this.#key(name))))
    return values.map((value) => nanoUsd(Number(value ?? 0)))
  }

  /**
   * Puts a counter right. `raise` only ever adds what is missing; `{ from }` sets it to anything, if it still says what it
   * said when the ledger was read. False: left as it was.
   */
  async setSpent(counter: Counter, guard: 'raise' | { readonly from: NanoUsd }): Promise<boolean> {
    const kind = counter.period.split(':')[0] as keyof typeof KEPT_MS
    // What a user or a tenant may spend in its whole life is never forgotten.
    const kept = kind === 'budget' && counter.kind !== 'session' ? 0 : KEPT_MS[kind]
    const expected = guard === 'raise' ? guard : guard.from
    return (await fromStore(this.#redis.limitsSetSpent(this.#key(counter), counter.spent, expected, kept))) === 1
  }

  /** Raises every counter to what the ledger says. Returns how many had to be. */
  async rebuild(booked: readonly Counter[]): Promise<number> {
    const raised = await Promise.all(booked.map((counter) => this.setSpent(counter, 'raise')))
    return raised.filter((isRaised) => isRaised).length
  }

  /** Those counters that differ from what the ledger says. */
  async compare(booked: readonly Counter[]): Promise<Drift[]> {
    const counted = await this.spentOf(booked)
    return booked.flatMap(({ spent, ...name }, i) =>
      counted[i] === spent ? [] : [{ name, counted: counted[i] as NanoUsd, booked: spent }],
    )
  }

  #key({ kind, id, period }: CounterName): string {
    return keys.spent(this.#root, kind, id, period)
  }
}
