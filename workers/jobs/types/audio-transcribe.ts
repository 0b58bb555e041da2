import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FAULTS, type FaultCode, FaultError } from '../../../src/faults.ts'

import { soundWish } from '../../../src/jobs/sound-wish.ts'

import { emptyTranscript, joinText, mergeTranscripts } from '../../../src/media/audio/merge-transcripts.ts'

import { renderTranscript } from '../../../src/media/audio/render-transcript.ts'
import { boundsOf } from '../../../src/media/audio/time-map.ts'
import type { Job, JobError, JobResult } from '../../../src/media/job.ts'
import type { TranscribeOptions } from '../../../src/media/job-request.ts'
import type { AudioPiece, PreparedAudio } from '../../../src/media/prepared-audio.ts'
import type { Transcript } from '../../../src/media/transcript.ts'
import { ms } from '../../../src/units.ts'
import { NOTHING_SAVED } from '../accounts.ts'
import { keepJson, keepText } from '../keep-output.ts'
import { openInput } from '../open-input.ts'
import type { FailedPart, Finished, JobTools, Parted, PartedProcessor } from '../processor.ts'
import { WorkFolder } from '../work-folder.ts'
import { addBills, type Bill, NO_BILL, payerOf, savedOn } from './bill.ts'
import { hearPiece } from './hear-piece.ts'
import type { HeardPart } from './heard.ts'

/** What the preparation of a recording has left in the job's folder; written last, so that all it names is there. */
interface Manifest {
  readonly prepared: PreparedAudio
  readonly bytesIn: number
}
const MANIFEST = 'prepared.json'
const heardName = (index: number) => `heard-${index}.json`

/** Results of text up to this stand in the job's record. */
const MOST_INLINE_TEXT = 16_000
/** Of a second of sound, as a provider takes it: for the order among pieces only. */
const CALL_SHARE = 0.03
const CALL_MS = 1_000

/**
 * `audio.transcribe`: what is said in a recording, on its own time line. Silence is cut out, what is left is cut into pieces,
 * each is asked for by itself, and all are put together. A piece that has an answer is never asked for again (Q3).
 */
export const audioTranscribe: PartedProcessor = {
  async run(job: Job, tools: JobTools, signal: AbortSignal): Promise<Finished | Parted> {
    const work = new WorkFolder(tools.storage, job)
    const { prepared, bytesIn } = (await work.readJson<Manifest>(MANIFEST)) ?? (await prepare(job, work, tools, signal))
    if (prepared.pieces.length === 0) return nobodySpeaks(job, prepared, bytesIn, tools, signal)
    return { type: 'parted', costs: prepared.pieces.map(({ duration }) => ms(CALL_MS + duration * CALL_SHARE)) }
  },

  async part(job: Job, index: number, tools: JobTools, signal: AbortSignal): Promise<void> {
    const work = new WorkFolder(tools.storage, job)
    const { prepared } = await manifestOf(work)
    const piece = prepared.pieces[index] as AudioPiece
    if (!(await work.has(heardName(index)))) {
      await using file = await work.local(piece.file)
      const before = index === 0 ? null : textOf(await work.readJson<HeardPart>(heardName(index - 1)))
      const heard = await hearPiece(job, { prepared, piece, path: file.path, before }, tools, signal)
      await work.putJson(heardName(index), heard)
      const text = textOf(heard)
      const { start, end } = boundsOf(piece.map)
      const of = prepared.pieces.length
      tools.segment({ index, of, start_ms: Math.round(start), end_ms: Math.round(end), text })
    }
    tools.partDone(index, prepared.pieces.length)
  },

  async merge(job: Job, failed: readonly FailedPart[], tools: JobTools, signal: AbortSignal): Promise<Finished> {
    const [first] = failed
    if (first !== undefined) throw faultOf(first.error)
    tools.progress({ stage: 'merging', done: 0, total: 0 })
    const work = new WorkFolder(tools.storage, job)
    const { prepared, bytesIn } = await manifestOf(work)
    const parts: HeardPart[] = []
    for (const { index } of prepared.pieces) {
      const part = await work.readJson<HeardPart>(heardName(index))
      if (part === null) throw new Error('a part of a transcription has no result')
      parts.push(part)
    }
    const halves = parts.flatMap((part) => part.halves)
    const pieces = halves.map(({ piece }, index) => ({ ...piece, index }))
    const cut = new Set(halves.flatMap(({ isCut }, i) => (isCut ? [i] : [])))
    const answers = halves.map(({ answer }) => answer)
    const transcript = mergeTranscripts({ ...prepared, pieces }, answers, cut)
    const bill = addBills(parts.map((part) => part.bill))
    return finish(job, { prepared, bytesIn }, transcript, bill, tools, signal)
  },
}

function textOf(part: HeardPart): string
function textOf(part: HeardPart | null): string | null
function textOf(part: HeardPart | null): string | null {
  return part === null ? null : joinText(part.halves.map(({ answer }) => answer.text))
}

async function prepare(job: Job, work: WorkFolder, tools: JobTools, signal: AbortSignal): Promise<Manifest> {
  await using input = await openInput(job, tools, signal)
  const wish = soundWish(job.options as TranscribeOptions, tools.config())
  const told = (done: number, total: number) => tools.progress({ stage: 'preparing', done, total })
  const prepared = await tools.media.prepareAudio(input.path, tools.folder, wish, signal, told)
  for (const { file, bytes } of prepared.pieces) await work.put(file, join(tools.folder, file), bytes, signal)
  const manifest = { prepared, bytesIn: (await stat(input.path)).size }
  await work.putJson(MANIFEST, manifest)
  return manifest
}

async function manifestOf(work: WorkFolder): Promise<Manifest> {
  const manifest = await work.readJson<Manifest>(MANIFEST)
  // Whoever puts parts into the queue has written it before.
  if (manifest === null) throw new Error('a part of a job that has not been prepared')
  return manifest
}

/** Nothing is bought for a recording in which nobody speaks, and that is what is said about it. */
function nobodySpeaks(
  job: Job,
  prepared: PreparedAudio,
  bytesIn: number,
  tools: JobTools,
  signal: AbortSignal,
): Promise<Finished> {
  const model = (job.options as TranscribeOptions).model ?? ''
  const savings = tools.calls.nothingBought(payerOf(job), 'silence', model, prepared.source)
  const bill = { ...NO_BILL, savings }
  return finish(job, { prepared, bytesIn }, emptyTranscript(prepared.source), bill, tools, signal)
}

async function finish(
  job: Job,
  { prepared, bytesIn }: Manifest,
  transcript: Transcript,
  bill: Bill,
  tools: JobTools,
  signal: AbortSignal,
): Promise<Finished> {
  const { calls, cost, estimated } = bill
  const bytesSent = prepared.pieces.reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    type: 'finished',
    result: await render(job, transcript, prepared, tools, signal),
    saved: {
      ...{ ...NOTHING_SAVED, bytesIn, bytesSent },
      ...{ inputMs: ms(Math.round(prepared.source)), billedMs: ms(Math.round(prepared.kept)) },
      ...savedOn(bill),
    },
    usage: { calls, cost, estimated },
  }
}

/** In the form that was asked for. */
async function render(
  job: Job,
  transcript: Transcript,
  { kept }: PreparedAudio,
  tools: JobTools,
  signal: AbortSignal,
): Promise<JobResult> {
  const { response_format: format, timestamps } = job.options as TranscribeOptions
  const usage = { type: 'duration', seconds: Math.ceil(kept / 1_000) } as const
  const rendered = renderTranscript(transcript, format, { timestamps, usage })
  const warning = transcript.incomplete ? { incomplete: true } : {}
  if (rendered.kind === 'json') return keepJson(job, tools, { ...(rendered.json as object), ...warning }, [], signal)
  const { text, mime } = rendered
  if (Buffer.byteLength(text) <= MOST_INLINE_TEXT) return { kind: 'inline', json: { text, mime, ...warning } }
  const output = { part: 'transcript', mime, filename: `transcript.${format === 'text' ? 'txt' : format}` }
  const { id } = await keepText(job, tools, text, output, signal)
  return { kind: 'file', fileId: id, mime }
}

/** The reason that a part gave, as the whole's own. */
function faultOf({ code, message }: JobError): Error {
  return code in FAULTS && code !== 'internal' ? new FaultError(code as FaultCode, message) : new Error(message)
}
