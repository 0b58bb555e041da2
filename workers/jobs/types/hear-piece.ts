import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Paid } from '../../../src/calls/media-calls.ts'
import type { TranscriptionAnswer, TranscriptionCall } from '../../../src/calls/media-provider.ts'
import { escalationOf } from '../../../src/calls/targets.ts'
import type { Config } from '../../../src/config/config.ts'
import { soundWish } from '../../../src/jobs/sound-wish.ts'
import { halvesOf, halving, isCutShort } from '../../../src/media/audio/recut.ts'
import type { Job } from '../../../src/media/job.ts'
import type { TranscribeOptions } from '../../../src/media/job-request.ts'
import type { AudioPiece, PreparedAudio } from '../../../src/media/prepared-audio.ts'
import { silenceBefore } from '../../../src/media/savings.ts'
import { type Ms, ms } from '../../../src/units.ts'
import type { JobTools } from '../processor.ts'
import { addBills, type Bill, billOf, payerOf } from './bill.ts'
import { type HeardHalf, type HeardPart, heardIn } from './heard.ts'

/** An answer that breaks off is asked for again in halves, and once more in quarters. */
const MOST_CUTS = 2

/** One piece, and what is known about where it stands. */
export interface PieceAtHand {
  readonly prepared: PreparedAudio
  readonly piece: AudioPiece
  /** Its file. */
  readonly path: string
  /** What was heard in the piece before, where that is known by now. */
  readonly before: string | null
}

/** Asks what is said in one piece. */
export async function hearPiece(job: Job, at: PieceAtHand, tools: JobTools, signal: AbortSignal): Promise<HeardPart> {
  const { prepared, piece, path } = at
  const ask = (one: AudioPiece, file: string, stage: string, silence: Ms, carry: string | null) =>
    tools.calls.transcribe(payerOf(job), stage, callFor(job, one, file, silence, carry, tools.config()), signal)
  const wish = soundWish(job.options as TranscribeOptions, tools.config())

  let carry = tailOf(at.before)
  async function hear(one: AudioPiece, file: string, stage: string, silence: Ms, cuts: number): Promise<HeardPart> {
    const paid = await ask(one, file, stage, silence, carry)
    const isCut = isCutShort(paid.answer, one)
    const smaller = isCut && cuts < MOST_CUTS ? halving(one, wish) : null
    if (smaller === null) {
      carry = tailOf(paid.answer.text)
      return { halves: [halfOf(one, paid, isCut)], bill: billOf(paid) }
    }
    const into = join(tools.folder, stage)
    await mkdir(into)
    const cut = await tools.media.prepareAudio(file, into, smaller, signal)
    const halves: HeardHalf[] = []
    const bills: Bill[] = [billOf(paid)]
    for (const half of halvesOf(one, cut)) {
      // The silence was left out once already, with the whole.
      const part = await hear(half, join(into, half.file), `${stage}-${half.index}`, ms(0), cuts + 1)
      halves.push(...part.halves)
      bills.push(part.bill)
    }
    return { halves, bill: addBills(bills) }
  }
  return hear(piece, path, `piece-${piece.index}`, silenceBefore(prepared, piece.index), 0)
}

const halfOf = (piece: AudioPiece, { answer }: Paid<TranscriptionAnswer>, isCut: boolean): HeardHalf => ({
  piece,
  answer: heardIn(answer),
  isCut,
})

/** Models look at the last 200 tokens or so of a prompt; a broken word at its beginning would only mislead. */
const MOST_CARRIED = 400

/** The end of what was said before, from a word on. */
function tailOf(text: string | null): string | null {
  if (text === null || text.length <= MOST_CARRIED) return text
  const tail = text.slice(-MOST_CARRIED)
  return tail.slice(tail.indexOf(' ') + 1)
}

function callFor(job: Job, piece: AudioPiece, path: string, silence: Ms, carry: string | null, config: Config) {
  const options = job.options as TranscribeOptions
  const model = options.model ?? ''
  const { mime, bytes, duration, sha256 } = piece
  const wanted = asked(config.models.get(model)?.targets[0]?.model ?? model, options)
  return {
    ...{ model, path, mime, bytes, duration, sha256 },
    language: options.language ?? null,
    prompt: options.prompt ?? null,
    temperature: options.temperature ?? null,
    ...wanted,
    // Models that tell voices apart take no prompt (transcription.md §1.1).
    carry: wanted.format === 'diarized_json' ? null : carry,
    logprobs: false,
    escalateTo: escalationOf(config, model, options.escalate_to),
    leftOut: { silence },
  }
}

/** The fullest answer that the model gives: time stamps and voices where it knows them (transcription.md §1.1). */
function asked(model: string, { timestamps }: TranscribeOptions): Pick<TranscriptionCall, 'format' | 'timestamps'> {
  if (model.includes('diarize')) return { format: 'diarized_json', timestamps: [] }
  if (model.includes('whisper'))
    return { format: 'verbose_json', timestamps: [...new Set([...timestamps, 'segment' as const])] }
  return { format: 'json', timestamps: [] }
}
