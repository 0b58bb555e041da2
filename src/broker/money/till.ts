import type { Clock } from '../../clock.ts'
import type { Config, PlanConfig } from '../../config/config.ts'
import { FaultError } from '../../faults.ts'
import { limitsSpending } from '../../limits/accounts.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import type { Account, BudgetLevel, Refusal } from '../../limits/limits.ts'
import { findPrice, type Offer } from '../../meter/find-price.ts'
import type { PriceRow } from '../../meter/price-row.ts'
import type { LedgerRecord } from '../../meter/record.ts'
import { sellersOf } from '../../meter/sellers.ts'
import type { Metrics } from '../../metrics.ts'
import type { SessionHead } from '../../store/session-records.ts'
import { type Instant, seconds, type Tokens } from '../../units.ts'
import type { ParleyThrottled } from '../../wire/parley-events.ts'
import type { Bookkeeper } from './bookkeeper.ts'
import { Purse, type PursePort } from './purse.ts'
import { accountsOfSession } from './session-accounts.ts'
import { SessionBooks } from './session-books.ts'
import { SessionMoney } from './session-money.ts'
import type { SessionSpan } from './session-span.ts'
import { TurnControl } from './turn-control.ts'

/** How long a session without the store goes on once its lease is spent (reference: hardening, when Redis is away). */
const GRACE = seconds(15)

/** The provider that was reached, by its name in the policy file, and its own name for the model. */
export interface Bought {
  readonly provider: string
  readonly model: string
}

export interface TillDeps {
  config(): Config
  clock: Clock
  store: LimitStore
  keeper: Bookkeeper
  metrics: Metrics
  /** A budget has passed one of its marks. */
  budgetPassed(level: BudgetLevel, head: SessionHead): void
}

/** Money and limits of all sessions of a node: who may begin, by which prices, and out of which accounts. */
export class Till {
  readonly #deps: TillDeps

  constructor(deps: TillDeps) {
    this.#deps = deps
  }

  /** Every place where a model may be bought must have a price (M2). Throws `model_not_priced`. */
  requirePrices(head: Pick<SessionHead, 'model' | 'served' | 'kind'>): void {
    for (const target of this.#deps.config().models.get(head.served)?.targets ?? []) {
      if (this.#price(target.provider, [target.model, head.served], head.kind) !== null) continue
      throw new FaultError('model_not_priced', `No price is known for the model '${head.model}'.`, { param: 'model' })
    }
  }

  /** Takes the session's slots and counts its start, or counts nothing. Throws the fault to refuse with. */
  async admit(head: SessionHead): Promise<void> {
    const answer = await this.#deps.store.admit(head.id, this.#accounts(head)).catch((error: unknown) => {
      // A store that did not answer may still have done what it was asked.
      void this.#deps.keeper.release(head.id)
      throw error
    })
    if (!answer.ok) throw refusalFault(answer.refusal)
  }

  /** Sessions of this node whose slots have run out although it lives, which can only be after a long silence. */
  async beat(sessions: readonly string[]): Promise<void> {
    await this.#deps.store.beat(sessions)
  }

  /** Gives everything back once the last record of the session is settled. */
  async leave(session: string): Promise<void> {
    await this.#deps.keeper.settled(session)
    await this.#deps.keeper.release(session)
  }

  /** Opens the books of a session whose provider has been reached. */
  open(head: SessionHead, bought: Bought, atLines: Omit<PursePort, 'budgetPassed'>, span: SessionSpan): SessionMoney {
    const { clock, store, keeper, metrics } = this.#deps
    span.reached(bought, this.#deps.config().providers.get(bought.provider)?.type)
    const accounts = this.#accounts(head)
    const isTranscription = head.kind === 'transcription'
    const row = this.#price(bought.provider, [bought.model, head.served], head.kind)
    if (row === null) throw new FaultError('model_not_priced', 'No price is known for this model.')
    const turns = new TurnControl()
    const options = {
      session: head.id,
      tenant: head.tenant,
      user: head.user,
      keyId: head.keyId,
      model: head.model,
      provider: bought.provider,
      providerModel: bought.model,
      row,
      transcribesOnly: isTranscription,
      accounts,
    }
    const tell: PursePort['tell'] = (event) => {
      if (event.type === 'parley.throttled') metrics.throttled.inc(pick(event))
      atLines.tell(event)
    }
    const port = { ...atLines, tell, budgetPassed: (level: BudgetLevel) => this.#deps.budgetPassed(level, head) }
    const books = new SessionBooks(options, keeper, clock, metrics, span, (record, settled) =>
      money.settled(record, settled),
    )
    const plan = this.#deps.config().plans.get(head.plan)
    const isLimited = plan !== undefined && accounts.some(limitsSpending)
    const money = new SessionMoney({
      books,
      turns,
      purse: isLimited ? new Purse(books, turns, policyOf(plan, isTranscription), { store, clock }, port) : null,
      transcriber: (model) => this.#price(bought.provider, [model], 'transcription'),
      tokensPerMinute: lowestRate(accounts),
      port,
    })
    return money
  }

  /** Where a model is bought first, and at which price at that time; null when it is not, or nobody knows. */
  pricedModel(model: string, at: Instant): { provider: string; providerModel: string; row: PriceRow } | null {
    const served = this.#deps.config().models.get(model)
    const target = served?.targets[0]
    if (served === undefined || target === undefined) return null
    const row = this.#price(target.provider, [target.model, model], served.kind, at)
    return row === null ? null : { provider: target.provider, providerModel: target.model, row }
  }

  /** Books a record that comes from elsewhere than a session. False: it was booked before. */
  async book(record: LedgerRecord): Promise<boolean> {
    const config = this.#deps.config()
    const plan = config.tenants.get(record.tenant)?.plan ?? 'default'
    const accounts = accountsOfSession(config, { ...record, id: record.session, plan, grant: null })
    return (await this.#deps.store.settle({ record, accounts, keep: null })).isNew
  }

  #accounts(head: SessionHead): Account[] {
    return accountsOfSession(this.#deps.config(), head)
  }

  #price(
    provider: string,
    names: readonly string[],
    kind: Offer['kind'],
    at = this.#deps.clock.now(),
  ): PriceRow | null {
    const { prices, providers } = this.#deps.config()
    const sellers = sellersOf(provider, providers.get(provider)?.type)
    return findPrice(prices.sheet, { sellers, names, kind }, prices.unknownModels, at)
  }
}

const pick = ({ action, account, limit }: ParleyThrottled) => ({ action, account, limit })

function lowestRate(accounts: readonly Account[]): Tokens | null {
  const rates = accounts.flatMap((account) => account.limits.tokensPerMinute ?? [])
  return rates.length === 0 ? null : (Math.min(...rates) as Tokens)
}

function policyOf({ throttle, budgetWarnings }: PlanConfig, transcribesOnly: boolean) {
  return { ...throttle, grace: GRACE, transcribesOnly, budgetWarnings }
}

function refusalFault({ account, limit, wait }: Refusal): FaultError {
  const retryAfterMs = wait === null ? {} : { retryAfterMs: wait }
  switch (limit) {
    case 'sessions':
      return new FaultError('too_many_sessions', `This ${account} has as many sessions as it may have.`, retryAfterMs)
    case 'starts':
    case 'tokens':
      return new FaultError('rate_limited', `This ${account} begins sessions too fast.`, retryAfterMs)
    default:
      return new FaultError('budget_spent', `The budget of this ${account} is used up.`, retryAfterMs)
  }
}
