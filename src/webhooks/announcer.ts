import type { Redis } from 'ioredis'
import type { Clock } from '../clock.ts'
import type { BudgetLevel } from '../limits/limits.ts'
import type { Log } from '../log.ts'
import { keys } from '../store/keys.ts'
import { type Instant, later, ms } from '../units.ts'
import type { TenantEvent } from './tenant-news.ts'
import type { WebhookEvent } from './webhook.ts'

/** Whose budgets a level may speak of. */
export interface Payer {
  readonly tenant: string
}

/** Shares of a budget, percent, at which somebody is told; highest first. */
const THRESHOLDS = [95, 80] as const
/** A teller that dies before it has told leaves the warning to the next who notices, after this. */
const CLAIM_MS = 60_000
/** Longer than any month, so that a told warning stays told. */
const KEEP_TOLD_MS = 32 * 24 * 3_600_000
/** Warnings this process knows to be told, so that not every response asks Redis. */
const MOST_KNOWN = 10_000

/** Who is told. */
export interface Listeners {
  /** Endpoints of the operator. */
  operators(event: WebhookEvent): Promise<void>
  /** A tenant's own, and whoever wants to know of all tenants. */
  tenant(tenant: string, event: TenantEvent): Promise<void>
}

/** Tells webhooks how far budgets are spent. */
export class Announcer {
  readonly #redis: Redis
  readonly #tell: Listeners
  readonly #clock: Clock
  readonly #log: Log
  readonly #known = new Set<string>()

  constructor(redis: Redis, tell: Listeners, clock: Clock, log: Log) {
    this.#redis = redis
    this.#tell = tell
    this.#clock = clock
    this.#log = log
  }

  /**
   * To be called with every level that a reservation or settlement brings; cheap when there is nothing new. Tells
   * `budget.warning` to operators once per account, period and threshold, whatever the number of nodes, and a tenant of its own
   * as `usage.threshold`; only for the day and month of tenants and of the installation, since a session's own caller hears of
   * its budget directly. Never rejects: what could not
   * be told is told with the next level.
   */
  async budgetLevel(level: BudgetLevel, who: Payer): Promise<void> {
    const { account, limit, spent, cap } = level
    if ((account !== 'tenant' && account !== 'installation') || limit === 'budget' || cap <= 0) return
    const threshold = THRESHOLDS.find((percent) => BigInt(spent) * 100n >= BigInt(cap) * BigInt(percent))
    if (threshold === undefined) return
    const now = this.#clock.now()
    const id = account === 'tenant' ? who.tenant : 'installation'
    const nameOf = (percent: number) => `${account}-${id}-${periodOf(limit, now)}-${percent}`
    const name = nameOf(threshold)
    if (this.#known.has(name)) return
    // Until Redis has answered nobody else in this process asks again.
    this.#remember(name)
    try {
      const claim = await this.#redis.set(keys.budgetWarning(name), 'claimed', 'PX', CLAIM_MS, 'NX')
      if (claim !== 'OK') return await this.#checkTold(name, now)
      const data = { account, id, limit, period: periodOf(limit, now), threshold, spent_nano: spent, cap_nano: cap }
      await this.#tell.operators({ id: `budget-${name}`, type: 'budget.warning', at: now, data })
      if (account === 'tenant') await this.#tell.tenant(id, usageThreshold(name, now, data))
      this.#log.warn({ account, id, limit, threshold }, 'budget nearly spent')
      // A level that comes late from another node must not tell the lower threshold after the higher one.
      for (const percent of THRESHOLDS.filter((each) => each <= threshold)) {
        await this.#redis.set(keys.budgetWarning(nameOf(percent)), 'told', 'PX', KEEP_TOLD_MS)
      }
    } catch (error) {
      this.#known.delete(name)
      this.#log.warn({ account, id, threshold, why: String(error) }, 'budget warning not told yet')
    }
  }

  /** Somebody else's claim: if it does not end in a told warning, this node tries again with the next level. */
  async #checkTold(name: string, now: Instant): Promise<void> {
    if ((await this.#redis.get(keys.budgetWarning(name))) === 'told') return
    this.#clock.at(later(now, ms(CLAIM_MS)), () => this.#known.delete(name))
  }

  #remember(name: string): void {
    if (this.#known.size >= MOST_KNOWN) this.#known.clear()
    this.#known.add(name)
  }
}

function usageThreshold(
  name: string,
  at: Instant,
  { id, limit, period, threshold, spent_nano, cap_nano }: Warning,
): TenantEvent {
  const data = { id, object: 'usage', limit, period, threshold, spent_nano_usd: spent_nano, cap_nano_usd: cap_nano }
  return { id: `usage-${name}`, type: 'usage.threshold', at, data }
}

interface Warning {
  readonly id: string
  readonly limit: 'day' | 'month'
  readonly period: string
  /** Percent. */
  readonly threshold: number
  readonly spent_nano: number
  readonly cap_nano: number
}

/** UTC, as the budgets themselves: `2026-11-25` or `2026-11`. */
function periodOf(limit: 'day' | 'month', now: Instant): string {
  return new Date(now).toISOString().slice(0, limit === 'day' ? 10 : 7)
}
