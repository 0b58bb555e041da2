import type { Clock } from '../../clock.ts'
import { FaultError } from '../../faults.ts'
import type { SessionRegistry, SessionView } from '../../http/sessions.ts'
import type { Nodes } from '../../store/nodes.ts'
import type { SessionRecord, SessionRecords } from '../../store/session-records.ts'
import type { LiveSession } from '../live/live-session.ts'
import type { Directory } from './directory.ts'

/** Sessions of all nodes: this node's from memory, the others' from their records. */
export class ClusterRegistry implements SessionRegistry {
  readonly #directory: Directory
  readonly #records: SessionRecords
  readonly #nodes: Nodes
  readonly #clock: Clock

  constructor(directory: Directory, records: SessionRecords, nodes: Nodes, clock: Clock) {
    this.#directory = directory
    this.#records = records
    this.#nodes = nodes
    this.#clock = clock
  }

  async list(tenant: string | null, most: number): Promise<SessionView[]> {
    const views: SessionView[] = []
    const ids = await this.#records.live().catch(away)
    for (const id of ids) {
      if (views.length >= most) break
      const view = await this.get(id)
      if (view !== null && view.phase !== 'ended' && (tenant === null || view.tenant === tenant)) views.push(view)
    }
    return views
  }

  async get(id: string): Promise<SessionView | null> {
    const here = this.#directory.find(id)
    if (here !== null) return this.#fromMemory(here)
    const record = await this.#records.outline(id).catch(away)
    return record === null ? null : fromRecord(record)
  }

  async end(id: string): Promise<boolean> {
    const here = this.#directory.find(id)
    if (here !== null) {
      here.dispatch({ type: 'end_requested', reason: 'ended_by_operator' })
      return true
    }
    const record = await this.#records.outline(id).catch(away)
    if (record === null || record.phase === 'ended') return false
    if (await this.#nodes.order(record.owner, { type: 'end', sessionId: id }).catch(away)) return true
    return this.#records.endOrphan(record, this.#clock.now()).catch(away)
  }

  #fromMemory(session: LiveSession): SessionView {
    const { head, state } = session
    return {
      ...common(head),
      node: this.#nodes.id,
      phase: state.phase,
      reason: 'reason' in state ? state.reason : null,
      ended_at: null,
      idle_ends_at: session.idleEndsAt === null ? null : Math.round(session.idleEndsAt),
      usage: { ...session.usage },
    }
  }
}

function fromRecord(record: SessionRecord): SessionView {
  return {
    ...common(record.head),
    node: record.owner,
    phase: record.phase as SessionView['phase'],
    reason: record.reason,
    ended_at: record.endedAt === null ? null : Math.round(record.endedAt),
    idle_ends_at: null,
    usage: record.usage,
  }
}

function common(head: SessionRecord['head']) {
  return {
    id: head.id,
    object: 'parley.session' as const,
    tenant: head.tenant,
    user: head.user,
    model: head.model,
    kind: head.kind,
    plan: head.plan,
    admitted_at: Math.round(head.admitted),
    ends_at: Math.round(head.admitted + head.maxDuration),
  }
}

function away(cause: unknown): never {
  throw new FaultError('store_unavailable', 'Sessions cannot be looked up right now.', { cause, retryAfterMs: 2_000 })
}
