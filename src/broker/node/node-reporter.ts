import { performance } from 'node:perf_hooks'
import type { Clock } from '../../clock.ts'
import type { Level } from '../../limits/buckets.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import type { Account } from '../../limits/limits.ts'
import type { Metrics } from '../../metrics.ts'
import { activityOf } from '../../session/activity.ts'
import type { NodeQuestion, Nodes } from '../../store/nodes.ts'
import type { SessionHead } from '../../store/session-records.ts'
import type { Instant } from '../../units.ts'
import type { Bucket, LiveRow, NodeCounts, NodeReport, Timeline } from '../../wire/console.ts'
import type { LiveSession } from '../live/live-session.ts'
import { BucketWatch } from '../money/bucket-watch.ts'
import type { Directory } from './directory.ts'

/** Sessions that a node tells of, the oldest; of the others it tells how many there are. */
export const MOST_TOLD = 2_000
/** A report is made at most this often, ms, however many ask. */
const FRESH_FOR_MS = 1_000

export interface ReporterDeps {
  readonly clock: Clock
  readonly nodes: Pick<Nodes, 'id' | 'url'>
  readonly directory: Directory
  readonly metrics: Metrics
  readonly limits: LimitStore
  accountsOf(head: SessionHead): readonly Account[]
  isDraining(): boolean
}

/** What this node says of itself to operators' consoles, here and at other nodes. Costs nothing while nobody asks. */
export class NodeReporter {
  readonly #deps: ReporterDeps
  readonly #startedAt: Instant
  readonly #buckets: BucketWatch
  #busyBefore = performance.eventLoopUtilization()
  #last: { at: Instant; report: Promise<NodeReport> } | null = null

  constructor(deps: ReporterDeps) {
    this.#deps = deps
    this.#startedAt = deps.clock.now()
    this.#buckets = new BucketWatch(deps.limits, deps.accountsOf)
  }

  answer(question: NodeQuestion): Promise<NodeReport | Timeline | null> {
    return question.about === 'itself' ? this.report() : Promise.resolve(this.timeline(question.sessionId))
  }

  report(): Promise<NodeReport> {
    const now = this.#deps.clock.now()
    if (this.#last === null || now - this.#last.at >= FRESH_FOR_MS) this.#last = { at: now, report: this.#report(now) }
    return this.#last.report
  }

  /** Null for a session that this node does not know. */
  timeline(id: string): Timeline | null {
    const { directory } = this.#deps
    return directory.find(id)?.timeline.view() ?? directory.bygones.timeline(id)
  }

  async #report(now: Instant): Promise<NodeReport> {
    const { nodes, directory } = this.#deps
    const all = directory.all()
    const told = all.slice(0, MOST_TOLD)
    void this.#buckets.look(told.map(({ head }) => head))
    return {
      node: {
        id: nodes.id,
        url: nodes.url,
        started_at: Math.round(this.#startedAt),
        told_at: Math.round(now),
        draining: this.#deps.isDraining(),
        sessions: all.length,
        unlisted: all.length - told.length,
        memory_bytes: process.memoryUsage.rss(),
        busy: this.#busy(),
        counts: await countsOf(this.#deps.metrics),
      },
      sessions: told.map((session) => this.#row(session, now)),
      ended: directory.bygones.rows(nodes.id),
    }
  }

  #row(session: LiveSession, now: Instant): LiveRow {
    const { head, state } = session
    const { rate, money } = this.#buckets.of(head.id)
    return {
      ...{ id: head.id, tenant: head.tenant, user: head.user, model: head.model, served: head.served },
      ...{ kind: head.kind, plan: head.plan, node: this.#deps.nodes.id },
      phase: state.phase,
      activity: activityOf(state, now),
      admitted_at: Math.round(head.admitted),
      ends_at: Math.round(session.endsAt),
      idle_ends_at: session.idleEndsAt === null ? null : Math.round(session.idleEndsAt),
      usage: session.usage,
      throttled: session.timeline.throttled,
      rate: bucket(rate),
      money: bucket(money),
    }
  }

  /** Since the report before. */
  #busy(): number {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#busyBefore)
    this.#busyBefore = now
    return Math.min(1, Math.max(0, Math.round(utilization * 1_000) / 1_000))
  }
}

const bucket = (level: Level | null): Bucket | null =>
  level === null ? null : { ...level, used: Math.round(level.used) }

async function countsOf({ refused, throttled, ended }: Metrics): Promise<NodeCounts> {
  const [refusals, throttles, ends] = await Promise.all([refused.get(), throttled.get(), ended.get()])
  return {
    refused: refusals.values.map(({ labels, value }) => ({ code: String(labels.code), count: value })),
    throttled: throttles.values.map(({ labels, value }) => ({
      ...{ action: String(labels.action), account: String(labels.account), limit: String(labels.limit) },
      count: value,
    })),
    ended: ends.values.map(({ labels, value }) => ({ reason: String(labels.reason), count: value })),
  }
}
