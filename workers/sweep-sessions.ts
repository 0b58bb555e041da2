import type { Clock } from '../src/clock.ts'
import type { Log } from '../src/log.ts'
import type { Census } from '../src/store/nodes.ts'
import { RELEASED, type SessionRecord, type SessionRecords } from '../src/store/session-records.ts'
import type { Instant } from '../src/units.ts'

export interface SweepDeps {
  clock: Clock
  log: Log
  records: SessionRecords
  census: Census
}

/** A returning caller that found its node dead is still on its way for so long after its window, ms. */
const GRACE_MS = 15_000

/** A record that is not there so long after its session was listed never will be, ms. */
const WRITTEN_WITHIN_MS = 10_000

/** What is known of the owner of a session. */
interface Owner {
  isGone: boolean
  lastBeat: Instant | null
}

/** Ends the records of sessions whose node died and whose callers did not come back. Returns how many. */
export async function sweepSessions({ clock, log, records, census }: SweepDeps): Promise<number> {
  const now = clock.now()
  const owners = new Map<string, Owner>([[RELEASED, { isGone: true, lastBeat: null }]])
  let ended = 0
  for (const id of await records.live()) {
    const record = await records.outline(id)
    // A session is listed a moment before its record is written.
    if (record === null && !(await isForgotten(id, records, now))) continue
    if (record === null) {
      await records.forget(id)
      continue
    }
    // Its node could not tell, or died before it had.
    if (record.phase === 'ended') {
      await records.farewell(record)
      continue
    }
    const owner = owners.get(record.owner) ?? (await ownerOf(record, census, now))
    owners.set(record.owner, owner)
    if (!owner.isGone || !isOverdue(record, owner, now)) continue
    if (!(await records.endOrphan(record, now))) continue
    log.warn({ sessionId: id }, 'session of a dead node ended')
    ended++
  }
  await census.prune(now)
  return ended
}

async function isForgotten(id: string, records: SessionRecords, now: Instant): Promise<boolean> {
  const since = await records.listedSince(id)
  return since !== null && now > since + WRITTEN_WITHIN_MS
}

async function ownerOf(record: SessionRecord, census: Census, now: Instant): Promise<Owner> {
  return { isGone: await census.isSurelyDead(record.owner, now), lastBeat: await census.lastBeat(record.owner) }
}

/** Could nobody come back to it any more? */
function isOverdue(record: SessionRecord, { lastBeat }: Owner, now: Instant): boolean {
  const lastSign = Math.max(record.updated, lastBeat ?? 0)
  return now > lastSign + (record.head.resumeWindow ?? 0) + GRACE_MS
}
