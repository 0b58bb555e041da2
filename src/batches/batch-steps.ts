import { FaultError } from '../faults.ts'
import { isEnded } from '../media/job.ts'
import { type Ms, ms } from '../units.ts'
import { type Batch, type BatchEnd, isOver, type LineError } from './batch.ts'
import { readLine } from './batch-lines.ts'
import { writeResults } from './batch-results.ts'
import type { BatchWork } from './batch-work.ts'
import { lookThrough } from './look-through.ts'

/** Jobs of one batch that wait or run at once: enough for any number of workers, and no burden to other tenants. */
export const WINDOW = 500
/** How long until somebody looks again at a batch whose jobs are being done. */
const LOOK_AGAIN = ms(1_000)
/** Lines between two words of how far it has come; well below one lease. */
const WRITE_EVERY = 50
/** How long an input that has been read stays, for whoever wants to see what was asked. */
const INPUT_KEPT = ms(24 * 3_600_000)

/** Does what can be done on a batch now, and says when to look again by what it writes. Throws BatchLost. */
export async function advance(work: BatchWork, signal: AbortSignal): Promise<void> {
  for (let from = work.batch.status; !isOver(from); from = work.batch.status) {
    signal.throwIfAborted()
    const isDone = await step(work, signal)
    if (!isDone) return
  }
  const { tenant, inputFileId, id } = work.batch
  await work.deps.desk.release(tenant, inputFileId, id, INPUT_KEPT)
}

/** False: nothing more can be done now. */
async function step(work: BatchWork, signal: AbortSignal): Promise<boolean> {
  const { status, outcome, cancelAsked } = work.batch
  switch (status) {
    case 'validating':
      await lookThrough(work, signal)
      return true
    case 'in_progress':
      if (hasExpired(work)) return endEarly(work, 'expired')
      return feed(work, signal)
    case 'cancelling':
      return endEarly(work, 'cancelled')
    case 'finalizing': {
      const files = await writeResults(work, signal)
      await work.write({ status: cancelAsked && outcome === 'completed' ? 'cancelled' : outcome, ...files })
      return true
    }
    case 'failed':
    case 'completed':
    case 'expired':
    case 'cancelled':
      return false
  }
}

const hasExpired = ({ batch, deps }: BatchWork) => deps.clock.now() >= batch.expiresAt
/** Jobs that wait or run. */
const openOf = ({ made, succeeded, unsuccessful }: Batch) => made - succeeded - unsuccessful

/** Makes jobs while fewer than the window wait or run. */
async function feed(work: BatchWork, signal: AbortSignal): Promise<boolean> {
  const { cursor } = work.batch
  let room = WINDOW - openOf(work.batch)
  let place = cursor
  let sinceWrite = 0
  for await (const raw of work.lines(cursor)) {
    if (room <= 0) break
    signal.throwIfAborted()
    const line = readLine(raw)
    // Looked at before; only a configuration that has changed since makes another answer.
    if (Array.isArray(line)) await work.refuse(line[0] as LineError)
    else {
      const answer = await work.make(raw.number, line, signal)
      if (answer === 'full') break
      if (answer === 'made') room--
    }
    place = raw.next
    if (++sinceWrite < WRITE_EVERY) continue
    sinceWrite = 0
    await work.write({ cursor: place })
    if (work.batch.status !== 'in_progress' || hasExpired(work)) return true
  }
  await work.write({ cursor: place })
  const { made, refused, total, status } = work.batch
  if (status !== 'in_progress') return true
  if (made + refused >= total && openOf(work.batch) <= 0) {
    await work.write({ status: 'finalizing', outcome: 'completed' })
    return true
  }
  await work.write({}, LOOK_AGAIN)
  return false
}

/** Asks all jobs that have not ended to end, and goes on once they have. */
async function endEarly(work: BatchWork, outcome: BatchEnd): Promise<boolean> {
  const { tenant, id } = work.batch
  const { jobs } = work.deps
  if (openOf(work.batch) > 0) {
    for (let after: string | undefined; ; ) {
      const filter = { batch: id, limit: 200, ...(after === undefined ? {} : { after }) }
      const page = await jobs.list(tenant, filter)
      for (const job of page.jobs) if (!isEnded(job.status)) await jobs.cancel(tenant, job.id)
      await work.write({})
      after = page.jobs.at(-1)?.id
      if (!page.hasMore || after === undefined) break
    }
  }
  if (openOf(work.batch) > 0) {
    await work.write({}, LOOK_AGAIN)
    return false
  }
  await work.write({ status: 'finalizing', outcome })
  return true
}

/** When a step that failed for a reason that may pass is tried again. */
export function waitAfter(error: unknown): Ms {
  const asked = error instanceof FaultError ? error.retryAfterMs : null
  return ms(Math.max(5_000, asked ?? 0))
}
