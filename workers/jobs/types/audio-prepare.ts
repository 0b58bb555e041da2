import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { soundWish } from '../../../src/jobs/sound-wish.ts'
import { toMs } from '../../../src/media/audio/samples.ts'
import type { Job } from '../../../src/media/job.ts'
import type { AudioPrepareOptions } from '../../../src/media/job-request.ts'
import type { AudioPiece, TimeMap } from '../../../src/media/prepared-audio.ts'
import { ms } from '../../../src/units.ts'
import { NO_USAGE, NOTHING_SAVED } from '../accounts.ts'
import { keepFile, keepJson } from '../keep-output.ts'
import { openInput } from '../open-input.ts'
import type { Finished, JobTools, Processor } from '../processor.ts'

/** `audio.prepare`: the pieces of a recording in which somebody speaks, and the way back to its own time line. */
export const audioPrepare: Processor = {
  async run(job: Job, tools: JobTools, signal: AbortSignal): Promise<Finished> {
    await using input = await openInput(job, tools, signal)
    const wish = soundWish(job.options as AudioPrepareOptions, tools.config())
    const told = (done: number, total: number) => tools.progress({ stage: 'preparing', done, total })
    const prepared = await tools.media.prepareAudio(input.path, tools.folder, wish, signal, told)
    const pieces: unknown[] = []
    const files: string[] = []
    let sent = 0
    for (const piece of prepared.pieces) {
      const output = { part: `piece-${piece.index}`, mime: piece.mime, filename: fileName(piece) }
      const { id } = await keepFile(job, tools, join(tools.folder, piece.file), output, signal)
      files.push(id)
      sent += piece.bytes
      const { mime, bytes, sha256, duration, map } = piece
      pieces.push({ file_id: id, mime, bytes, sha256, duration_ms: Math.round(duration), map: readable(map) })
    }
    const { source, kept, engine, channels, codec } = prepared
    const json = { duration_ms: Math.round(source), kept_ms: Math.round(kept), engine, channels, codec, pieces }
    const result = await keepJson(job, tools, json, files, signal)
    const { size } = await stat(input.path)
    const times = { inputMs: ms(Math.round(source)), billedMs: ms(Math.round(kept)) }
    const saved = { ...NOTHING_SAVED, ...times, bytesIn: size, bytesSent: sent }
    return { type: 'finished', result, saved, usage: NO_USAGE }
  },
}

const fileName = ({ index, mime }: AudioPiece) => `piece-${index}.${mime === 'audio/flac' ? 'flac' : 'ogg'}`

/** `[in the piece, in the recording, length]`, ms. */
const readable = (map: TimeMap) =>
  map.map(({ out, source, length }) => [out, source, length].map((samples) => Math.round(toMs(samples))))
