import { createHash } from 'node:crypto'
import { jobView } from '../jobs/job-view.ts'
import { idFrom } from '../media/ids.ts'
import type { Job } from '../media/job.ts'
import type { LineError } from './batch.ts'
import { LARGEST_INPUT, readLine } from './batch-lines.ts'
import type { BatchWork } from './batch-work.ts'

/** Jobs that are read at once while their results are written. */
const READ_AT_ONCE = 32
/** A line has its job's whole record, and small results in it. */
const LARGEST_OUTPUT = 10 * LARGEST_INPUT
/** Lines between two signs of life. */
const BEAT_EVERY = 1_000

/**
 * Writes what came of every line into two files: of those that succeeded, and of all others. Null for a file without a line.
 * Writing them again makes the same files.
 */
export async function writeResults(
  work: BatchWork,
  signal: AbortSignal,
): Promise<{ outputFileId: string | null; errorFileId: string | null }> {
  const { tenant, id } = work.batch
  const refusals = await work.deps.batches.refusals(tenant, id)
  const write = async (kind: 'output' | 'errors') => {
    const lines = resultLines(work, refusals, kind, signal)
    const first = await lines.next()
    if (first.done === true) return null
    async function* all() {
      yield first.value as Uint8Array
      yield* lines
    }
    return keep(work, kind, all(), signal)
  }
  return { outputFileId: await write('output'), errorFileId: await write('errors') }
}

async function keep(work: BatchWork, kind: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal) {
  const { tenant, keyId, id, createdAt, keepOutput } = work.batch
  const fileId = idFrom('file', createdAt, createHash('sha256').update(`${id} ${kind}`).digest().subarray(0, 8))
  const order = { id: fileId, tenant, keyId, purpose: () => 'output' as const, keep: keepOutput }
  const facts = { filename: `${id}_${kind}.jsonl`, mime: 'application/jsonl', most: LARGEST_OUTPUT }
  return (await work.deps.desk.take({ ...order, ...facts }, source, signal)).id
}

async function* resultLines(
  work: BatchWork,
  refusals: ReadonlyMap<number, LineError>,
  kind: 'output' | 'errors',
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let waiting: { line: number; customId: string; job: Promise<Job | null> }[] = []
  const { tenant, cursor } = work.batch
  const flush = async function* () {
    const all = waiting
    waiting = []
    for (const { line, customId, job } of all) {
      const result = resultOf(work, customId, await job, refusals.get(line), line < cursor.line)
      if (result.isGood === (kind === 'output')) yield Buffer.from(`${JSON.stringify(result.line)}\n`)
    }
  }
  let sinceBeat = 0
  for await (const raw of work.lines({ line: 1, offset: 0 })) {
    signal.throwIfAborted()
    const line = readLine(raw)
    const customId = Array.isArray(line) ? '' : line.customId
    const id = work.jobId(raw.number)
    const job = refusals.has(raw.number) ? Promise.resolve(null) : work.deps.jobs.read(tenant, id)
    // Its failure is met where it is awaited.
    job.catch(() => undefined)
    waiting.push({ line: raw.number, customId, job })
    if (waiting.length === READ_AT_ONCE) yield* flush()
    if (++sinceBeat < BEAT_EVERY) continue
    sinceBeat = 0
    await work.write({})
  }
  yield* flush()
}

/** One line of a result, in OpenAI's shape. */
function resultOf(
  work: BatchWork,
  customId: string,
  job: Job | null,
  refused: LineError | undefined,
  wasMade: boolean,
) {
  const { id, outcome } = work.batch
  const common = { id: `${id.replace('batch_', 'batch_req_')}_${customIdHash(customId)}`, custom_id: customId }
  const failed = (code: string, message: string) => ({
    isGood: false,
    line: { ...common, response: null, error: { code, message } },
  })
  if (refused !== undefined) return failed(refused.code, refused.message)
  if (job === null) {
    if (!wasMade && outcome === 'expired') return failed('batch_expired', 'The window of the batch was over.')
    if (!wasMade) return failed('batch_cancelled', 'The batch was cancelled.')
    return failed('not_kept', 'The job was erased before the batch was over.')
  }
  const body = jobView(job)
  const response = { status_code: 200, request_id: `req_${job.id.slice(4)}`, body }
  if (job.status === 'succeeded') return { isGood: true, line: { ...common, response, error: null } }
  const error =
    job.status === 'failed'
      ? { code: job.error?.code ?? 'internal', message: job.error?.message ?? 'The job failed.' }
      : outcome === 'expired'
        ? { code: 'batch_expired', message: 'The window of the batch was over.' }
        : outcome === 'cancelled'
          ? { code: 'batch_cancelled', message: 'The batch was cancelled.' }
          : { code: job.status, message: `The job is ${job.status}.` }
  return { isGood: false, line: { ...common, response: { ...response, status_code: 422 }, error } }
}

const customIdHash = (customId: string) => createHash('sha256').update(customId).digest('hex').slice(0, 12)
