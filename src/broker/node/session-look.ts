import type { Clock } from '../../clock.ts'
import type { SessionRegistry, SessionView } from '../../http/sessions.ts'
import { levelsOf } from '../../limits/buckets.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import type { Account } from '../../limits/limits.ts'
import type { SessionHead, SessionRecords } from '../../store/session-records.ts'
import { type Bucket, Timeline } from '../../wire/console.ts'
import type { Inquiries } from './inquiries.ts'

export interface SessionLookDeps {
  readonly clock: Clock
  readonly registry: SessionRegistry
  readonly records: Pick<SessionRecords, 'outline'>
  readonly inquiries: Pick<Inquiries, 'ask'>
  readonly limits: LimitStore
  accountsOf(head: SessionHead): readonly Account[]
}

/** All that can be said about one session without its content. */
export interface SessionLook {
  readonly at: number
  readonly session: SessionView
  /** Null where no node has kept it: long after the end, or when the node is gone. */
  readonly timeline: Timeline | null
  /** How full every token bucket and budget is that limits it. */
  readonly buckets: readonly Bucket[]
}

/** Looks at a session wherever it runs. Null for one that nobody knows; rejects with `store_unavailable`. */
export async function lookAt(deps: SessionLookDeps, id: string): Promise<SessionLook | null> {
  const session = await deps.registry.get(id)
  if (session === null) return null
  const [body, buckets] = await Promise.all([
    deps.inquiries.ask(session.node, { about: 'session', sessionId: id }).catch(() => null),
    session.phase === 'ended' ? [] : bucketsOf(deps, id),
  ])
  return {
    at: Math.round(deps.clock.now()),
    session,
    timeline: Timeline.safeParse(body).data ?? null,
    buckets,
  }
}

async function bucketsOf({ records, limits, accountsOf }: SessionLookDeps, id: string): Promise<Bucket[]> {
  const record = await records.outline(id).catch(() => null)
  if (record === null) return []
  const states = await limits.state(accountsOf(record.head))
  return states.flatMap(levelsOf).map((level) => ({ ...level, used: Math.round(level.used) }))
}
