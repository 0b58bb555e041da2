import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { FaultError } from '../../src/faults.ts'
import { idFrom } from '../../src/media/ids.ts'
import type { Job, JobResult } from '../../src/media/job.ts'
import type { MediaFile } from '../../src/media/media-file.ts'
import { traced } from '../../src/traces/tracer.ts'
import { ms } from '../../src/units.ts'
import type { JobTools } from './processor.ts'

/** Results up to this stand in the job's record, bytes of JSON. */
const MOST_INLINE_BYTES = 16_384
/** An output that is to be kept no time stays so long, so that it can be fetched at all, ms. */
const LEAST_KEPT_MS = 60_000

export interface Output {
  /** Which of the job's outputs it is: the same name makes the same file, however often the work is done. */
  readonly part: string
  readonly mime: string
  readonly filename: string
}

/** Keeps a file that the job has made, for as long as its owner asked. */
export async function keepFile(
  job: Job,
  tools: JobTools,
  path: string,
  output: Output,
  signal: AbortSignal,
): Promise<MediaFile> {
  const { size } = await stat(path)
  return take(job, tools, createReadStream(path), size, output, signal)
}

/** A result where it belongs: a small one in the record, a large one in a file. `others`: files that it names. */
export async function keepJson(
  job: Job,
  tools: JobTools,
  json: unknown,
  others: readonly string[],
  signal: AbortSignal,
): Promise<JobResult> {
  const text = JSON.stringify(json)
  if (Buffer.byteLength(text) <= MOST_INLINE_BYTES) return { kind: 'inline', json }
  const output = { part: 'result', mime: 'application/json', filename: 'result.json' }
  const { id, mime } = await keepText(job, tools, text, output, signal)
  return { kind: 'file', fileId: id, mime, ...(others.length > 0 ? { others } : {}) }
}

export async function keepText(
  job: Job,
  tools: JobTools,
  text: string,
  output: Output,
  signal: AbortSignal,
): Promise<MediaFile> {
  const bytes = Buffer.from(text)
  async function* source() {
    yield bytes
  }
  return take(job, tools, source(), bytes.length, output, signal)
}

async function take(
  job: Job,
  { desk }: JobTools,
  source: AsyncIterable<Uint8Array>,
  most: number,
  { part, mime, filename }: Output,
  signal: AbortSignal,
): Promise<MediaFile> {
  // A later attempt makes files of its own: what an owner removed of an earlier one stays gone.
  const bits = createHash('sha256').update(`${job.id} ${job.attempt} ${part}`).digest().subarray(0, 8)
  const id = idFrom('file', job.createdAt, bits)
  const keep = ms(Math.max(job.retention.output, LEAST_KEPT_MS))
  const { tenant, keyId } = job
  if (most === 0) throw new FaultError('internal', 'the result is empty')
  const file = { id, tenant, keyId, purpose: () => 'output' as const, filename, mime, most, keep }
  return traced('keep output', {}, () => desk.take(file, source, signal))
}
