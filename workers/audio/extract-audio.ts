import { FaultError } from '../../src/faults.ts'
import type { Ms } from '../../src/units.ts'
import { probeSound, sniffFile } from '../tools/probe.ts'
import type { Task } from '../tools/task.ts'
import { decode } from './decode.ts'
import { encodePieces } from './encode-pieces.ts'
import { longestSound } from './longest-sound.ts'

export interface ExtractedAudio {
  readonly file: string
  readonly mime: string
  readonly bytes: number
  readonly sha256: string
  readonly duration: Ms
}

/** The task: the sound of a video, or of a recording, as one file. */
export const extractAudio: Task<{ path: string; into: string; format: 'flac' | 'opus' }, ExtractedAudio> = async (
  { path, into, format },
  context,
) => {
  const { sniffed, sound, duration } = await probeSound(path, await sniffFile(path), context)
  if (sound === null) throw new FaultError('media_corrupt', 'The file holds no sound.')
  const longest = await longestSound(path, context.longestAudioMs)
  if (duration !== null && duration > longest)
    throw new FaultError('media_too_long', 'The sound is longer than is taken.')
  const blocks = decode(context, { path, demuxer: sniffed.demuxer }, longest)
  const everything = [{ start: 0, end: Number.MAX_SAFE_INTEGER }]
  const tell = (samples: number) => context.progress(samples / 16, duration ?? 0)
  const [piece] = await encodePieces(context, blocks, [{ regions: everything, format }], into, tell)
  if (piece === undefined) throw new FaultError('media_corrupt', 'The file holds no sound.')
  const { file, mime, bytes, sha256 } = piece
  return { file, mime, bytes, sha256, duration: piece.duration }
}
