import { FaultError } from '../faults.ts'
import { InvalidRequest } from '../invalid-request.ts'
import { isEnded } from '../media/job.ts'
import { type Ms, ms } from '../units.ts'
import { type Batch, type BatchEnd, isOver, type LineError } from './batch.ts'
import { errorsOf, LARGEST_INPUT, LONGEST_LINE, MOST_LINES, readLine } from './batch-lines.ts'
import { writeResults } from './batch-results.ts'
import type { BatchWork } from './batch-work.ts'

/** Jobs of one batch that wait or run at once: enough for any number of workers, and no burden to other tenants. */
export const WINDOW = 500
/** How long until somebody looks again at a batch whose jobs are being done. */
const LOOK_AGAIN = ms(1_000)
/** Lines between two words of how far it has come; well below one lease. */
const WRITE_EVERY = 50
/** Errors that are told of one input. */
const MOST_ERRORS = 1_000
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
      await validate(work, signal)
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

/** Looks at every line before anything is begun: a batch with a mistake in it costs nothing. */
async function validate(work: BatchWork, signal: AbortSignal): Promise<void> {
  const errors: LineError[] = []
  const names = new Set<string>()
  let total = 0
  let sinceWrite = 0
  const wrong = (line: number | null, code: string, message: string, param: string | null = null) =>
    errors.push({ line, code, message, param })
  const { tenant, inputFileId } = work.batch
  const file = await work.deps.files.read(tenant, inputFileId)
  if (file === null) wrong(null, 'not_found', 'The input of the batch is gone.')
  else if (file.bytes > LARGEST_INPUT) wrong(null, 'payload_too_large', `The input takes ${LARGEST_INPUT} bytes.`)
  else {
    for await (const raw of work.lines({ line: 1, offset: 0 })) {
      signal.throwIfAborted()
      if (++total > MOST_LINES) {
        wrong(raw.number, 'too_many_lines', `A batch takes ${MOST_LINES} lines.`)
        break
      }
      const line = readLine(raw)
      if (Array.isArray(line)) errors.push(...line)
      else {
        if (names.has(line.customId)) wrong(raw.number, 'duplicate', 'Another line has this custom_id.', '/custom_id')
        names.add(line.customId)
        errors.push(...orderErrors(work, raw.number, line))
      }
      if (errors.length >= MOST_ERRORS) break
      sinceWrite += raw.bytes?.length ?? LONGEST_LINE
      if (sinceWrite < WRITE_EVERY * LONGEST_LINE) continue
      sinceWrite = 0
      await work.write({})
      if (work.batch.cancelAsked) break
    }
    if (total === 0) wrong(null, 'empty', 'The input has no lines.')
  }
  if (errors.length > 0) return work.write({ status: 'failed', errors: errors.slice(0, MOST_ERRORS) })
  await work.write({ status: 'in_progress', total })
}

function orderErrors(work: BatchWork, number: number, line: Parameters<BatchWork['order']>[1]): LineError[] {
  try {
    work.order(number, line)
    return []
  } catch (error) {
    if (error instanceof InvalidRequest) return errorsOf(number, error, '/body')
    throw error
  }
}

/** Makes jobs while fewer than the window wait or run. */
async function feed(work: BatchWork, signal: AbortSignal): Promise<boolean> {
  const { cursor } = work.batch
  let { made } = work.batch
  let room = WINDOW - openOf(work.batch)
  let place = cursor
  let sinceWrite = 0
  let isFull = false
  for await (const raw of work.lines(cursor)) {
    if (room <= 0) break
    signal.throwIfAborted()
    const line = readLine(raw)
    // Looked at before; only a configuration that has changed since makes another answer.
    if (Array.isArray(line)) await work.refuse(line[0] as LineError)
    else {
      const answer = await work.make(raw.number, line, signal)
      isFull = answer === 'full'
      if (isFull) break
      if (answer === 'made') {
        made++
        room--
      }
    }
    place = raw.next
    if (++sinceWrite < WRITE_EVERY) continue
    sinceWrite = 0
    await work.write({ cursor: place, made })
    if (work.batch.status !== 'in_progress' || hasExpired(work)) return true
  }
  await work.write({ cursor: place, made })
  const { refused, total, status } = work.batch
  if (status !== 'in_progress') return true
  const isAllMade = work.batch.made + refused >= total
  if (isAllMade && openOf(work.batch) <= 0) {
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
