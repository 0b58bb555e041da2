import { createHash, randomBytes } from 'node:crypto'
import { jobView } from '../jobs/job-view.ts'
import { idFrom } from '../media/ids.ts'
import type { Job } from '../media/job.ts'
import { blobName } from '../storage/storage.ts'
import type { ResultSheet } from '../store/batches.ts'
import { BatchLost, type LineError } from './batch.ts'
import { inSheets, type RawLine, readLine } from './batch-lines.ts'
import type { BatchWork } from './batch-work.ts'

/** Jobs that are read at once while their results are written. */
const READ_AT_ONCE = 32
/** Bytes of a sheet; a line has its job's whole record, with a small result in it. */
const LARGEST_SHEET = 64 * 1_024 * 1_024
/** Sheets between two signs of life while they are put together. */
const BEAT_EVERY = 10

type Kind = 'output' | 'errors'
export interface ResultFiles {
  readonly outputFileId: string | null
  readonly errorFileId: string | null
}

/**
 * Writes what came of every line into two files: of those that succeeded, and of all others. Null for a file without a line.
 * Lines are written down in sheets, each of them once, whoever dies meanwhile; the sheets of all lines become the files.
 * Throws BatchLost.
 */
export async function writeResults(work: BatchWork, signal: AbortSignal): Promise<ResultFiles> {
  for await (const lines of inSheets(work.lines(work.batch.resultCursor))) {
    signal.throwIfAborted()
    await writeSheet(work, lines, signal)
  }
  const { tenant, id } = work.batch
  const sheets = await work.deps.batches.sheets(tenant, id)
  const files = {
    outputFileId: await putTogether(work, 'output', sheets, signal),
    errorFileId: await putTogether(work, 'errors', sheets, signal),
  }
  // With them goes what a process that died had written and nobody counts.
  await work.deps.storage.removeAll(`${tenant}/${id}`)
  return files
}

async function writeSheet(work: BatchWork, lines: readonly RawLine[], signal: AbortSignal): Promise<void> {
  const { tenant, id } = work.batch
  const good: Buffer[] = []
  const bad: Buffer[] = []
  for (const { isGood, line } of await resultsOf(work, lines)) {
    ;(isGood ? good : bad).push(Buffer.from(`${JSON.stringify(line)}\n`))
  }
  const name = `sheet.${lines[0]?.number}.${randomBytes(6).toString('hex')}`
  async function* all() {
    yield* good
    yield* bad
  }
  const blob = blobName(tenant, id, name)
  await work.deps.storage.write(blob, all(), LARGEST_SHEET, signal)
  const next = (lines.at(-1) as RawLine).next
  try {
    await work.addSheet(next, { name, outputBytes: lengthOf(good), errorBytes: lengthOf(bad) })
  } catch (error) {
    // Whoever has the batch now may be done with it already, and nobody would take this away.
    if (error instanceof BatchLost) await work.deps.storage.remove(blob)
    throw error
  }
}

const lengthOf = (parts: readonly Buffer[]) => parts.reduce((sum, { length }) => sum + length, 0)

/** One file of all sheets' lines of a kind; the one that is there where somebody has done so before. */
async function putTogether(
  work: BatchWork,
  kind: Kind,
  sheets: readonly ResultSheet[],
  signal: AbortSignal,
): Promise<string | null> {
  const { tenant, keyId, id, createdAt, keepOutput } = work.batch
  const most = sheets.reduce((sum, sheet) => sum + sizeIn(sheet, kind), 0)
  if (most === 0) return null
  const fileId = idFrom('file', createdAt, createHash('sha256').update(`${id} ${kind}`).digest().subarray(0, 8))
  if ((await work.deps.files.read(tenant, fileId)) !== null) return fileId
  const order = { id: fileId, tenant, keyId, purpose: () => 'output' as const, keep: keepOutput }
  const facts = { filename: `${id}_${kind}.jsonl`, mime: 'application/jsonl', most }
  return (await work.deps.desk.take({ ...order, ...facts }, linesIn(work, kind, sheets), signal)).id
}

const sizeIn = ({ outputBytes, errorBytes }: ResultSheet, kind: Kind) => (kind === 'output' ? outputBytes : errorBytes)

async function* linesIn(work: BatchWork, kind: Kind, sheets: readonly ResultSheet[]): AsyncGenerator<Uint8Array> {
  const { tenant, id } = work.batch
  for (const [i, sheet] of sheets.entries()) {
    if (i % BEAT_EVERY === 0) await work.write({})
    const size = sizeIn(sheet, kind)
    if (size === 0) continue
    const first = kind === 'output' ? 0 : sheet.outputBytes
    yield* await work.deps.storage.read(blobName(tenant, id, sheet.name), { first, last: first + size - 1 })
  }
}

/** What came of some lines, in their order. */
async function resultsOf(work: BatchWork, lines: readonly RawLine[]): Promise<Result[]> {
  const { tenant, id, cursor } = work.batch
  const numbers = lines.map(({ number }) => number)
  const refusals = await work.deps.batches.refusals(tenant, id, numbers)
  const jobs = new Map<number, Job | null>()
  const made = numbers.filter((number) => !refusals.has(number))
  for (let at = 0; at < made.length; at += READ_AT_ONCE) {
    const some = made.slice(at, at + READ_AT_ONCE)
    const found = await Promise.all(some.map((number) => work.deps.jobs.read(tenant, work.jobId(number))))
    some.forEach((number, i) => void jobs.set(number, found[i] ?? null))
  }
  return lines.map((raw) => {
    const line = readLine(raw)
    const customId = Array.isArray(line) ? '' : line.customId
    return resultOf(work, customId, jobs.get(raw.number) ?? null, refusals.get(raw.number), raw.number < cursor.line)
  })
}

interface Result {
  readonly isGood: boolean
  readonly line: object
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
