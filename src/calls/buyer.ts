import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import type { Log } from '../log.ts'
import type { LedgerRecord } from '../meter/record.ts'
import type { Usage } from '../meter/usage.ts'
import type { Metrics } from '../metrics.ts'
import type { Operation } from '../traces/gen-ai.ts'
import { later, type Ms, ms, type NanoUsd, nanoUsd } from '../units.ts'
import type { Deal, Treasury } from './deal.ts'
import type { Payer } from './media-calls.ts'
import { CallFailed, type MediaProvider } from './media-provider.ts'
import type { ProviderLane, Slot } from './provider-lane.ts'
import type { Providers } from './providers.ts'
import { afterFailure } from './retry-policy.ts'
import type { Target } from './targets.ts'

/** Something to be asked of a model. */
export interface Order<A> {
  readonly payer: Payer
  readonly stage: string
  readonly operation: Operation
  readonly model: string
  readonly targets: readonly Target[]
  /** The most it may cost at a target; and the least that is of any use, where less than the most will do. */
  atMost(target: Target): Usage
  least?(target: Target): Usage
  /** `deal`: what the answer may cost. */
  call(provider: MediaProvider, target: Target, deal: Deal, signal: AbortSignal): Promise<A>
}

/** The number of the purchase under way, and the next where a second one really happens. */
export interface Numbering {
  readonly number: number
  again(): Promise<void>
}

/** An answer whose money is still held and whose place at the provider is still taken: end both. */
export interface Answered<A> {
  readonly answer: A
  readonly deal: Deal
  readonly slot: Slot
  readonly target: Target
  /** What was booked for attempts that may have been bought and gave no answer. */
  readonly lost: readonly LedgerRecord[]
  /** Requests that were made, this one included. */
  readonly calls: number
}

/** Thrown where something may have been bought all the same: `cause` says why it failed. */
export class BoughtInVain extends Error {
  readonly lost: NanoUsd
  constructor(lost: NanoUsd, cause: unknown) {
    super('bought in vain', { cause })
    this.lost = lost
  }
}

export interface BuyerDeps {
  config(): Config
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly treasury: Treasury
  readonly providers: Providers
  lane(provider: string): ProviderLane
  random(): number
}

/** One order is bought at most so often without an answer: a model that never answers is not paid for ever. */
const MOST_IN_VAIN = 2

/** Q5: asks the providers of a model in order, each with retries, until one answers. */
export class Buyer {
  readonly #deps: BuyerDeps

  constructor(deps: BuyerDeps) {
    this.#deps = deps
  }

  /**
   * Rejects with FaultError, or the signal's reason; wrapped in BoughtInVain where something was booked that may have been
   * bought. Whoever gets the answer ends its deal and its slot.
   */
  async buy<A>(order: Order<A>, numbering: Numbering, signal: AbortSignal): Promise<Answered<A>> {
    const lost: LedgerRecord[] = []
    try {
      return await this.#anywhere(order, numbering, lost, signal)
    } catch (error) {
      const sum = nanoUsd(lost.reduce((all, { cost }) => all + cost, 0))
      throw lost.length === 0 ? error : new BoughtInVain(sum, error)
    }
  }

  async #anywhere<A>(
    order: Order<A>,
    numbering: Numbering,
    lost: LedgerRecord[],
    signal: AbortSignal,
  ): Promise<Answered<A>> {
    const { config, clock, log, random } = this.#deps
    let wait: number | null = null
    let calls = 0
    let isNumberSpent = false
    for (const target of order.targets) {
      for (let attempt = 1; ; attempt++) {
        let failure: CallFailed
        if (isNumberSpent) await numbering.again()
        try {
          return { ...(await this.#once(order, numbering, target, attempt > 1, signal)), target, lost, calls: ++calls }
        } catch (error) {
          if (error instanceof FaultError && error.code === 'upstream_unavailable') {
            wait = least(wait, error.retryAfterMs)
            break
          }
          if (!(error instanceof AttemptFailed)) throw error
          calls++
          if (error.record !== null) lost.push(error.record)
          if (!(error.cause instanceof CallFailed)) throw error.cause
          failure = error.cause
        }
        isNumberSpent = failure.mayBeBought
        const { kind, status } = failure
        log.warn({ provider: target.provider, model: target.model, kind, status }, 'call to a provider failed')
        if (kind === 'refused') throw new FaultError('media_refused', refusalMessage(failure))
        wait = least(wait, failure.retryAfter)
        if (lost.length >= MOST_IN_VAIN) throw unavailable(wait)
        const next = afterFailure(failure, attempt, config().media.calls, random())
        if (next.type === 'elsewhere') break
        if (next.type === 'again') await pause(next.wait, clock, signal)
      }
    }
    throw unavailable(wait)
  }

  async #once<A>(
    order: Order<A>,
    numbering: Numbering,
    target: Target,
    isRetry: boolean,
    signal: AbortSignal,
  ): Promise<Pick<Answered<A>, 'answer' | 'deal' | 'slot'>> {
    const { treasury, providers, lane, metrics } = this.#deps
    const { payer, stage, operation, model } = order
    const most = order.atMost(target)
    const slot = await lane(target.provider).enter(payer.tenant, isRetry, signal)
    try {
      const id = recordIdOf(payer.job, stage, numbering.number)
      const deal = await treasury.open({ payer, id, model, target }, operation, most, order.least?.(target))
      try {
        const provider = providers.get(target.provider, target.config)
        const answer = await deal.span.run(() => order.call(provider, target, deal, signal))
        slot.succeeded()
        metrics.calls.inc({ outcome: 'answered' })
        return { answer, deal, slot }
      } catch (error) {
        if (error instanceof CallFailed) slot.failed(error)
        metrics.calls.inc({ outcome: error instanceof CallFailed ? error.kind : 'abandoned' })
        // Of a call that was hung up nobody knows how far the provider came with it.
        const isUnknown = error instanceof CallFailed ? error.mayBeBought : signal.aborted
        if (!isUnknown) deal.notBought()
        throw new AttemptFailed(isUnknown ? deal.unknown() : null, error)
      }
    } catch (error) {
      slot[Symbol.dispose]()
      throw error
    }
  }
}

/** `record`: what was booked because it may have been bought. */
class AttemptFailed extends Error {
  readonly record: LedgerRecord | null
  constructor(record: LedgerRecord | null, cause: unknown) {
    super('an attempt failed', { cause })
    this.record = record
  }
}

export const recordIdOf = (job: string, stage: string, number: number): string =>
  number <= 1 ? `${job}:${stage}` : `${job}:${stage}#${number}`

function refusalMessage({ status }: CallFailed): string {
  return `The model provider refused this${status === null ? '' : ` (HTTP ${status})`}.`
}

function unavailable(wait: number | null): FaultError {
  const message = 'The model provider could not be reached.'
  return new FaultError('upstream_unavailable', message, { retryAfterMs: Math.ceil(wait ?? 5_000) })
}

const least = (a: number | null, b: number | null): number | null => (a === null || (b !== null && b < a) ? b : a)

export function pause(wait: Ms, clock: Clock, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const alarm = clock.at(later(clock.now(), wait), () => {
    signal.removeEventListener('abort', leave)
    resolve()
  })
  const leave = () => {
    alarm[Symbol.dispose]()
    reject(signal.reason)
  }
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  return promise
}

export const SHORT = ms(200)
