import { join } from 'node:path'
import type { MediaCalls, Paid, Payer } from '../../calls/media-calls.ts'
import type { TranscriptionAnswer, TranscriptionCall } from '../../calls/media-provider.ts'
import { escalationOf, type Target } from '../../calls/targets.ts'
import type { Config } from '../../config/config.ts'
import { emptyTranscript, mergeTranscripts } from '../../media/audio/merge-transcripts.ts'
import { pieceLimits } from '../../media/audio/piece-limits.ts'
import { halvesOf, halving, isCutShort, withPieces } from '../../media/audio/recut.ts'
import { TrimOptions } from '../../media/job-request.ts'
import type { MediaTools } from '../../media/media-tools.ts'
import type { AudioPiece, PrepareAudio, PreparedAudio } from '../../media/prepared-audio.ts'
import { silenceBefore } from '../../media/savings.ts'
import type { Transcript } from '../../media/transcript.ts'
import { ms } from '../../units.ts'
import type { TranscriptionForm } from './transcription-form.ts'
import type { WorkFolder } from './work-folder.ts'

/** What a recording came to. */
export interface Heard {
  readonly transcript: Transcript
  /** Of every piece, in order; none where nobody speaks. */
  readonly paid: readonly Paid<TranscriptionAnswer>[]
}

export interface RecordingDeps {
  config(): Config
  readonly calls: MediaCalls
  readonly tools: Pick<MediaTools, 'prepareAudio'>
}

/** What one recording is asked about, and by whom. */
export interface RecordingOrder {
  readonly payer: Payer
  readonly form: TranscriptionForm
  readonly target: Target
  readonly folder: WorkFolder
  /** Silence is left out. */
  readonly trims: boolean
  /** Told of text as it comes, in order; pieces are then asked one after the other. */
  readonly onText: ((text: string) => void) | null
}

interface Piece {
  readonly piece: AudioPiece
  readonly folder: string
  /** Its stage: the place in the recording, with the halves of a piece below it. */
  readonly stage: string
  readonly silence: number
}

/** Pieces asked at once. */
const AT_ONCE = 4

/** Q2 Q3: a recording in one request: silence out, cut in pauses, asked, merged on its own time line. */
export async function hear(deps: RecordingDeps, order: RecordingOrder, signal: AbortSignal): Promise<Heard> {
  const { payer, form, target, folder } = order
  const options = prepareOptions(deps.config(), target, order.trims)
  const into = await folder.into()
  const prepared = await deps.tools.prepareAudio(form.file.path, into, options, signal)
  if (prepared.pieces.length === 0) {
    deps.calls.nothingBought(payer, 'silence', form.model, prepared.source)
    return { transcript: emptyTranscript(prepared.source), paid: [] }
  }
  const pieces = prepared.pieces.map((piece, i) => ({
    ...{ piece, folder: into, stage: `piece-${i}`, silence: silenceBefore(prepared, i) },
  }))
  const results = await inOrder(pieces, order.onText === null ? AT_ONCE : 1, (piece, i) => {
    const onText = order.onText
    if (onText === null) return askWhole(deps, order, options, piece, signal)
    // Pieces are told apart by a space, as their texts are joined.
    let needsSpace = i > 0
    let isTold = false
    const tell = (text: string) => {
      onText(needsSpace ? ` ${text.trimStart()}` : text)
      needsSpace = false
      isTold = true
    }
    return ask(deps, order, piece, signal, tell).then((paid) => {
      // An answer that had been bought before comes at once.
      if (!isTold && paid.answer.text !== '') tell(paid.answer.text)
      return { pieces: [piece], paid: [paid], isCut: isCutShort(paid.answer, piece.piece) }
    })
  })
  return merged(prepared, results)
}

interface Asked {
  readonly pieces: readonly Piece[]
  readonly paid: readonly Paid<TranscriptionAnswer>[]
  /** Its answer broke off and could not be mended. */
  readonly isCut: boolean
}

function merged(prepared: PreparedAudio, results: readonly Asked[]): Heard {
  let whole = prepared
  let place = 0
  const cut = new Set<number>()
  for (const { pieces, isCut } of results) {
    const parts = pieces.map(({ piece }) => piece)
    if (parts.length > 1) whole = withPieces(whole, place, parts)
    if (isCut) cut.add(place)
    place += parts.length
  }
  const paid = results.flatMap((result) => result.paid)
  return {
    transcript: mergeTranscripts(
      whole,
      paid.map(({ answer }) => answer),
      cut,
    ),
    paid,
  }
}

/** Asks about a piece; where the answer stops although the piece goes on, about its halves. */
async function askWhole(
  deps: RecordingDeps,
  order: RecordingOrder,
  options: PrepareAudio,
  whole: Piece,
  signal: AbortSignal,
): Promise<Asked> {
  const paid = await ask(deps, order, whole, signal)
  if (!isCutShort(paid.answer, whole.piece)) return { pieces: [whole], paid: [paid], isCut: false }
  const smaller = halving(whole.piece, options)
  if (smaller === null) return { pieces: [whole], paid: [paid], isCut: true }
  const into = await order.folder.into()
  const halves = await deps.tools.prepareAudio(join(whole.folder, whole.piece.file), into, smaller, signal)
  if (halves.pieces.length < 2) return { pieces: [whole], paid: [paid], isCut: true }
  const parts = halvesOf(whole.piece, halves).map((piece, i) => ({
    ...{ piece, folder: into, stage: `${whole.stage}.${i}`, silence: 0 },
  }))
  const asked: Asked[] = []
  for (const part of parts) asked.push(await askWhole(deps, order, options, part, signal))
  return {
    pieces: asked.flatMap(({ pieces }) => pieces),
    paid: asked.flatMap((one) => one.paid),
    isCut: asked.some(({ isCut }) => isCut),
  }
}

function ask(
  { config, calls }: RecordingDeps,
  { payer, form }: RecordingOrder,
  { piece, folder, stage, silence }: Piece,
  signal: AbortSignal,
  onText?: (text: string) => void,
): Promise<Paid<TranscriptionAnswer>> {
  const { model, language, prompt, temperature, timestamps, logprobs, more } = form
  const call = {
    ...{ model, language, prompt, temperature, logprobs, more },
    ...{ path: join(folder, piece.file), mime: piece.mime, bytes: piece.bytes, duration: piece.duration },
    ...{ format: askedFormat(form), timestamps: timestamps.length === 0 ? (['segment'] as const) : timestamps },
    // What has been told cannot be taken back for a better answer.
    ...{ sha256: piece.sha256, escalateTo: onText === undefined ? escalationOf(config(), model, undefined) : null },
    leftOut: { silence: ms(silence) },
  }
  return calls.transcribe(payer, stage, call, signal, onText)
}

/** whisper's fullest answer costs the same and says where it stops and how sure it is; subtitles are made of it here. */
function askedFormat({ model, format }: TranscriptionForm): TranscriptionCall['format'] {
  if (format === 'diarized_json' || format === 'verbose_json') return format
  if (format === 'srt' || format === 'vtt' || model.startsWith('whisper')) return 'verbose_json'
  return 'json'
}

function prepareOptions(config: Config, { config: provider, model }: Target, trim: boolean): PrepareAudio {
  const { min_gap_ms, padding_ms, engine } = TrimOptions.parse({})
  const base = 'baseUrl' in provider ? new URL(provider.baseUrl).hostname : null
  return {
    ...{ trim, minGap: ms(min_gap_ms), padding: ms(padding_ms), engine, format: 'auto' },
    limits: pieceLimits({ type: provider.type, host: base, model }),
    longest: config.media.tools.longestAudio,
  }
}

/** Results in the order of the items, at most so many under way; the first failure ends it. */
async function inOrder<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index] as T, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane))
  return results
}
