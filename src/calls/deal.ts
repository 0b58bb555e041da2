import { randomUUID } from 'node:crypto'
import type { Bookkeeper } from '../broker/money/bookkeeper.ts'
import { accountsOfSession } from '../broker/money/session-accounts.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import { NOTHING_HELD } from '../limits/holding.ts'
import type { LimitStore } from '../limits/limit-store.ts'
import { type Account, type BudgetLevel, type Holding, type Refusal, UNLIMITED } from '../limits/limits.ts'
import { cost } from '../meter/price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import type { LedgerRecord } from '../meter/record.ts'
import type { Saving } from '../meter/savings.ts'
import { NOTHING, type Usage } from '../meter/usage.ts'
import { weighted, weightsOf } from '../meter/weights.ts'
import type { Operation } from '../traces/gen-ai.ts'
import { nanoUsd } from '../units.ts'
import { CallSpan } from './call-span.ts'
import type { Payer } from './media-calls.ts'
import type { Target } from './targets.ts'

/** The money of this process's calls. */
export interface TreasuryDeps {
  config(): Config
  readonly clock: Clock
  readonly limits: LimitStore
  readonly keeper: Bookkeeper
  /** Told of every level that a reservation finds. */
  readonly budgetPassed: (level: BudgetLevel, who: { readonly tenant: string }) => void
}

/** What one call is about, for its record. */
export interface Subject {
  readonly payer: Payer
  /** Id of the record: `<job>:<stage>`, with `#n` from the second purchase on. */
  readonly id: string
  /** As the caller calls it. */
  readonly model: string
  readonly target: Target
}

export interface Outcome {
  /** Null where the provider did not say: then `likely` is booked as an estimate. */
  readonly usage: Usage | null
  readonly likely: Usage
  readonly status: LedgerRecord['status']
  /** The provider's id of the request. */
  readonly providerId: string | null
  savings(usage: Usage): readonly Saving[]
}

/** Reserves money before calls, and books what they came to. Every call has a lease of its own, so that pieces of one job run side by side. */
export class Treasury {
  readonly #deps: TreasuryDeps
  readonly #leases = new Set<string>()

  constructor(deps: TreasuryDeps) {
    this.#deps = deps
  }

  /** Leases that are held now and have to be renewed. */
  leases(): string[] {
    return [...this.#leases]
  }

  /**
   * Reserves the worst case of a call, or as much of it as there is, and never less than `least`; then notes that the call
   * runs. Throws `budget_spent`, `max_cost_reached`, `rate_limited` or `store_unavailable`.
   */
  async open(subject: Subject, operation: Operation, atMost: Usage, least: Usage = atMost): Promise<Deal> {
    const { limits, keeper } = this.#deps
    const lease = randomUUID()
    const accounts = this.accountsOf(subject.payer)
    const { row } = subject.target
    this.#leases.add(lease)
    try {
      const want = holdingOf(atMost, row)
      const standing = false
      const grant = await limits.reserve({ session: lease, accounts, want, least: holdingOf(least, row), standing })
      if (grant.level !== null) this.#deps.budgetPassed(grant.level, subject.payer)
      if (!grant.ok) throw refusalOf(grant.refusal)
      // As it is booked if this process dies: at its worst case.
      const record = this.record(subject, 'estimate', 'unknown', atMost, null, [])
      await keeper.running({ session: lease, record })
      return new Deal(this, subject, lease, atMost, grant.held, new CallSpan(operation, subject))
    } catch (error) {
      // A store that did not answer may still have done what it was asked.
      this.release(lease, [subject.id])
      throw error
    }
  }

  /** Books a record that comes under no lease. */
  book(record: LedgerRecord, payer: Payer): void {
    this.#deps.keeper.book({ record, accounts: this.accountsOf(payer), keep: null })
  }

  /** Takes the cost out of the lease and gives back what is left of it. */
  settle(record: LedgerRecord, payer: Payer, lease: string): void {
    const accounts = this.accountsOf(payer)
    this.#deps.keeper.book({ record, accounts, keep: NOTHING_HELD, lease }, () => this.release(lease, []))
  }

  release(lease: string, notBought: readonly string[]): void {
    void this.#deps.keeper.release(lease, notBought).finally(() => this.#leases.delete(lease))
  }

  record(
    { payer, id, model, target }: Subject,
    basis: LedgerRecord['basis'],
    status: LedgerRecord['status'],
    usage: Usage,
    providerId: string | null,
    savings: readonly Saving[],
  ): LedgerRecord {
    const price = cost(usage, target.row)
    return {
      ...{ id, kind: 'stage', basis, status, model, usage, savings, session: payer.job },
      at: this.#deps.clock.now(),
      ...{ tenant: payer.tenant, user: payer.user, keyId: payer.keyId },
      ...{ provider: target.provider, providerModel: target.model, providerId: providerId ?? id },
      ...{ cost: price.nano, priceRow: price.rowId, estimated: price.estimated || basis === 'estimate' },
      weighted: weighted(usage, weightsOf(target.row)),
    }
  }

  /** A record of nothing bought and something saved. */
  savingRecord(subject: Subject, savings: readonly Saving[]): LedgerRecord {
    return { ...this.record(subject, 'usage', 'completed', NOTHING, null, savings), kind: 'session' }
  }

  /** The job's own account, bounded by what it may cost, then its user's, its tenant's and the installation's. */
  accountsOf({ job, tenant, user, maxCost }: Payer): Account[] {
    const config = this.#deps.config()
    const plan = config.tenants.get(tenant)?.plan ?? 'default'
    const accounts = accountsOfSession(config, { id: job, user, tenant, plan, grant: null })
    return accounts.map((account) =>
      account.kind === 'session' ? { ...account, limits: { ...UNLIMITED, budget: maxCost } } : account,
    )
  }
}

/** One call that money is held for. Exactly one of its methods ends it. */
export class Deal {
  readonly subject: Subject
  readonly held: Holding
  readonly span: CallSpan
  readonly #treasury: Treasury
  readonly #lease: string
  readonly #atMost: Usage

  constructor(treasury: Treasury, subject: Subject, lease: string, atMost: Usage, held: Holding, span: CallSpan) {
    this.#treasury = treasury
    this.subject = subject
    this.#lease = lease
    this.#atMost = atMost
    this.held = held
    this.span = span
  }

  /** It was bought. Returns the record as it is booked. */
  bought({ usage, likely, status, providerId, savings }: Outcome): LedgerRecord {
    const used = usage ?? likely
    const basis = usage === null ? 'estimate' : 'usage'
    return this.#settle(this.#treasury.record(this.subject, basis, status, used, providerId, savings(used)))
  }

  /** Nobody knows whether it was bought: booked as an estimate, at its worst case unless more is known. */
  unknown(usage: Usage = this.#atMost): LedgerRecord {
    return this.#settle(this.#treasury.record(this.subject, 'estimate', 'unknown', usage, null, []))
  }

  /** It was not bought, for sure. */
  notBought(): void {
    this.span.end(null)
    this.#treasury.release(this.#lease, [this.subject.id])
  }

  #settle(record: LedgerRecord): LedgerRecord {
    this.span.end(record)
    this.#treasury.settle(record, this.subject.payer, this.#lease)
    return record
  }
}

function holdingOf(usage: Usage, row: PriceRow): Holding {
  return { money: nanoUsd(cost(usage, row).nano), tokens: weighted(usage, weightsOf(row)) }
}

function refusalOf({ account, limit, wait }: Refusal): FaultError {
  const retry = wait === null ? {} : { retryAfterMs: wait }
  if (account === 'session') return new FaultError('max_cost_reached', 'This would cost more than it may.')
  if (limit === 'tokens') return new FaultError('rate_limited', `This ${account} buys too much at once.`, retry)
  return new FaultError('budget_spent', `The budget of this ${account} is used up.`, retry)
}
