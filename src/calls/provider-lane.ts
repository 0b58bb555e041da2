import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import { between, type Instant, later, latest, type Ms, ms } from '../units.ts'
import { answered, type Breaker, type BreakerRules, begun, CLOSED, failed, mayCall } from './breaker.ts'
import { FairQueue } from './fair-queue.ts'
import type { CallFailed } from './media-provider.ts'
import { spentUntil } from './rate-headers.ts'
import { NO_CALLS, noted, type RetryBudget, width } from './retry-budget.ts'
import { LONGEST_PATIENCE } from './retry-policy.ts'

export interface LaneRules {
  /** Calls under way at once. */
  readonly perProvider: number
  readonly retryShare: number
  readonly breaker: BreakerRules
}

interface Waiting {
  readonly isRetry: boolean
  readonly admitted: PromiseWithResolvers<void>
}

/** Room for one call. Give it back whatever became of it. */
export interface Slot extends Disposable {
  succeeded(): void
  failed(failure: CallFailed): void
}

/** Q5: everything that stands between this process and one provider: how many calls at once, whose turn it is, and when. */
export class ProviderLane implements Disposable {
  readonly #clock: Clock
  readonly #rules: () => LaneRules
  readonly #waiting = new FairQueue<Waiting>()
  #breaker: Breaker = CLOSED
  #budget: RetryBudget = NO_CALLS
  #open = 0
  /** The provider wants nothing before then. */
  #pausedUntil: Instant | null = null
  #timer: Disposable | null = null

  constructor(clock: Clock, rules: () => LaneRules) {
    this.#clock = clock
    this.#rules = rules
  }

  get open(): number {
    return this.#open
  }

  /**
   * Waits for room, in turn with other tenants. Rejects with FaultError `upstream_unavailable` at once while the provider is
   * left alone because it fails, or with the signal's reason.
   */
  async enter(tenant: string, isRetry: boolean, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted()
    this.#refuseWhileBroken()
    const item: Waiting = { isRetry, admitted: Promise.withResolvers<void>() }
    const leave = () => {
      this.#waiting.remove(tenant, item)
      item.admitted.reject(signal.reason)
    }
    signal.addEventListener('abort', leave)
    this.#waiting.push(tenant, item)
    this.#letIn()
    try {
      await item.admitted.promise
    } finally {
      signal.removeEventListener('abort', leave)
    }
    return this.#slot()
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }

  /** What the headers of an answer say about the rate that is left. */
  heard(headers: IncomingHttpHeaders): void {
    const until = spentUntil(headers, this.#clock.now(), LONGEST_PATIENCE)
    if (until !== null) this.#pause(until)
  }

  #slot(): Slot {
    let isHeld = true
    return {
      succeeded: () => {
        this.#breaker = answered()
      },
      failed: ({ kind, retryAfter }) => {
        const now = this.#clock.now()
        if (kind === 'rate_limited') this.#pause(later(now, ms(Math.min(LONGEST_PATIENCE, retryAfter ?? 0))))
        if (kind === 'refused' || kind === 'rate_limited') this.#breaker = answered()
        else this.#breaker = failed(this.#breaker, this.#rules().breaker, now)
        if (this.#breaker.state === 'open') this.#sendAway()
      },
      [Symbol.dispose]: () => {
        if (!isHeld) return
        isHeld = false
        this.#open--
        this.#letIn()
      },
    }
  }

  #letIn(): void {
    const now = this.#clock.now()
    const { perProvider, retryShare, breaker } = this.#rules()
    while (this.#waiting.size > 0 && this.#open < width(this.#budget, retryShare, perProvider, now)) {
      if (this.#pausedUntil !== null && now < this.#pausedUntil) return this.#lookAgainAt(this.#pausedUntil)
      // While one call finds out whether the provider is back, the others wait for what it finds.
      if (!mayCall(this.#breaker, now)) {
        if (this.#breaker.state !== 'closed') this.#lookAgainAt(this.#breaker.until)
        return
      }
      const next = this.#waiting.take()
      if (next === undefined) return
      this.#breaker = begun(this.#breaker, breaker, now)
      this.#budget = noted(this.#budget, next.isRetry, now)
      this.#open++
      next.admitted.resolve()
    }
  }

  #refuseWhileBroken(): void {
    const now = this.#clock.now()
    if (this.#breaker.state === 'open' && now < this.#breaker.until)
      throw unavailable(between(now, this.#breaker.until))
  }

  /** Whoever waits for a provider that fails is told so, and may go to another. */
  #sendAway(): void {
    if (this.#breaker.state !== 'open') return
    const wait = between(this.#clock.now(), this.#breaker.until)
    for (let item = this.#waiting.take(); item !== undefined; item = this.#waiting.take())
      item.admitted.reject(unavailable(wait))
  }

  #pause(until: Instant): void {
    this.#pausedUntil = this.#pausedUntil === null ? until : latest(until, this.#pausedUntil)
  }

  #lookAgainAt(at: Instant): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = this.#clock.at(at, () => {
      this.#timer = null
      this.#letIn()
    })
  }
}

function unavailable(wait: Ms): FaultError {
  const retryAfterMs = Math.max(1, Math.ceil(wait))
  return new FaultError('upstream_unavailable', 'The model provider is not answering.', { retryAfterMs })
}
