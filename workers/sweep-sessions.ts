import type { Clock } from '../src/clock.ts'
import type { Log } from '../src/log.ts'
import type { Nodes } from '../src/store/nodes.ts'
import { RELEASED, type SessionRecord, type SessionRecords } from '../src/store/session-records.ts'
import type { Instant } from '../src/units.ts'

export interface SweepDeps {
  clock: Clock
  log: Log
  records: SessionRecords
  nodes: Pick<Nodes, 'find'>
}

/** A returning caller that found its node dead is still on its way for so long after its window, ms. */
const GRACE_MS = 15_000

/** Ends the records of sessions whose node died and whose callers did not come back. Returns how many. */
export async function sweepSessions({ clock, log, records, nodes }: SweepDeps): Promise<number> {
  let ended = 0
  for (const id of await records.live()) {
    const record = await records.read(id)
    if (record === null || !isOverdue(record, clock.now())) continue
    if (record.owner !== RELEASED && (await nodes.find(record.owner)) !== null) continue
    if (!(await records.endOrphan(record, clock.now()))) continue
    log.warn({ sessionId: id }, 'session of a dead node ended')
    ended++
  }
  return ended
}

/** Could nobody come back to it any more? */
function isOverdue(record: SessionRecord, now: Instant): boolean {
  return now > record.updated + (record.head.resumeWindow ?? 0) + GRACE_MS
}
