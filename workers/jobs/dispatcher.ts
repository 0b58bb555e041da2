import { context } from '@opentelemetry/api'
import type { Clock } from '../../src/clock.ts'
import type { JobLimits } from '../../src/config/config.ts'
import type { Log } from '../../src/log.ts'
import type { BackOffice, Claimed } from '../../src/store/jobs/back-office.ts'
import { type FairOrder, priorityOf } from '../../src/store/jobs/fair-order.ts'
import { contextOf } from '../../src/traces/traceparent.ts'
import { later, type Ms, ms } from '../../src/units.ts'
import { JobTurn, type MediaQueues } from './media-queues.ts'
import { PerTenant } from './per-tenant.ts'

/** Work of low priority counts as so much more of it, beside coming after all else of its tenant. */
const LOW_COSTS = 4

export interface DispatcherDeps {
  readonly clock: Clock
  readonly log: Log
  readonly office: BackOffice
  readonly order: FairOrder
  readonly queues: MediaQueues
  readonly limits: (tenant: string) => JobLimits
}

/**
 * From the outbox to the queue, in the fair order. Any number of processes do this at once; what one has taken and not sent,
 * because it died, is found by the sweep.
 */
export class Dispatcher implements AsyncDisposable {
  readonly #deps: DispatcherDeps
  readonly #rounds: PerTenant
  readonly #alarms = new Set<Disposable>()

  constructor(deps: DispatcherDeps) {
    this.#deps = deps
    this.#rounds = new PerTenant((tenant) => this.dispatch(tenant), deps.clock, deps.log)
  }

  /** The tenant's outbox may have something. Never throws and never waits. */
  nudge(tenant: string): void {
    this.#rounds.nudge(tenant)
  }

  /** The same after a while, for a job that is to wait before it comes again. */
  nudgeIn(tenant: string, wait: Ms): void {
    // A moment later than Redis's own clock can say, because the outbox gives nothing away too early.
    const alarm = this.#deps.clock.at(later(this.#deps.clock.now(), ms(wait + 20)), () => {
      this.#alarms.delete(alarm)
      this.nudge(tenant)
    })
    this.#alarms.add(alarm)
  }

  /** Empties the tenant's outbox as far as it may run; resolves with how many jobs were sent. */
  async dispatch(tenant: string): Promise<number> {
    let sent = 0
    for (;;) {
      const claimed = await this.#deps.office.claim(tenant)
      if (claimed.length === 0) return sent
      for (const job of claimed) await this.#send(tenant, job)
      sent += claimed.length
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const alarm of this.#alarms) alarm[Symbol.dispose]()
    await this.#rounds[Symbol.asyncDispose]()
  }

  async #send(tenant: string, { id, dispatch, cost, priority, trace }: Claimed): Promise<void> {
    const { order, queues, limits } = this.#deps
    const weighed = priority === 'low' ? ms(cost * LOW_COSTS) : cost
    const numbered = await order.number(tenant, `${id}-${dispatch}`, weighed, limits(tenant).weight)
    const [turn] = numbered.turns
    if (turn === undefined) throw new Error('no number in the fair order')
    const run = { tenant, id, dispatch, number: turn.number }
    await context.with(contextOf(trace), () => queues.addRun(run, turn.priority))
    if (numbered.isFar) await this.#rebase(numbered.base)
  }

  /** What waits keeps its number; its priority is counted from the new base. */
  async #rebase(seen: string): Promise<void> {
    const { order, queues, log } = this.#deps
    const base = await order.rebase(seen)
    const waiting = await queues.jobs.getPrioritized()
    for (const job of waiting) {
      await job.changePriority({ priority: priorityOf(JobTurn.parse(job.data).number, base) })
    }
    log.info({ jobs: waiting.length }, 'priorities count from now on again')
  }
}
