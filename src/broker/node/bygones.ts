import type { EndReason } from '../../session/end-reason.ts'
import type { Instant } from '../../units.ts'
import type { EndedRow, Timeline } from '../../wire/console.ts'
import type { LiveSession } from '../live/live-session.ts'
import type { SessionTimeline } from '../live/session-timeline.ts'

/** Sessions that have ended and are still told of, the newest: about 1 MB with their time lines. */
const MOST = 100

/** What is left to say about sessions of this node that are over. */
export class Bygones {
  readonly #gone = new Map<string, { row: Omit<EndedRow, 'node'>; timeline: SessionTimeline }>()

  add({ head, usage, timeline }: LiveSession, reason: EndReason, now: Instant): void {
    timeline.ended(reason)
    const { id, tenant, user, model, admitted } = head
    const times = { admitted_at: Math.round(admitted), ended_at: Math.round(now) }
    const row = { id, tenant, user, model, reason, ...times, cost_nano_usd: usage.cost_nano_usd }
    this.#gone.set(id, { row, timeline })
    if (this.#gone.size <= MOST) return
    for (const oldest of this.#gone.keys()) {
      this.#gone.delete(oldest)
      break
    }
  }

  /** Newest first. */
  rows(node: string): EndedRow[] {
    return [...this.#gone.values()].map(({ row }) => ({ ...row, node })).reverse()
  }

  timeline(id: string): Timeline | null {
    return this.#gone.get(id)?.timeline.view() ?? null
  }
}
