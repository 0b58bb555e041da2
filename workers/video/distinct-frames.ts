import { join } from 'node:path'
import { FaultError } from '../../src/faults.ts'
import type { VideoFrame } from '../../src/media/media-tools.ts'
import { bytes, type Ms, ms } from '../../src/units.ts'
import { type FfmpegInput, framesArguments, stillsArguments } from '../tools/ffmpeg-command.ts'
import { FfmpegProcess } from '../tools/ffmpeg-process.ts'
import { probeSound, sniffFile } from '../tools/probe.ts'
import type { Task, TaskContext } from '../tools/task.ts'
import { HEIGHT, signalsOf, WIDTH } from './frame-signals.ts'
import { type Kept, RATE, Scenes } from './scenes.ts'

/** What decoding a video may take beyond the code of ffmpeg: sixteen frames of 4096 × 2304 that later ones refer to. */
const MEMORY = bytes(768 * 1_024 * 1_024)
const FRAME = WIDTH * HEIGHT * 3
/** Frames between signs of life: ten seconds of video. */
const TELL_EVERY = 50
/** Decoding slower than the video plays is no ordinary file, ms. */
const LEAST_WALL = 30_000

/**
 * The task: the few frames of a video that differ, in order, as full-size JPEG files in `into`, with where they stand. Throws
 * `unsupported_media`, `media_corrupt`, `pixel_limit`, `media_too_long`, `media_too_heavy`.
 */
export const distinctFrames: Task<{ path: string; into: string; most: number }, VideoFrame[]> = async (
  { path, into, most },
  context,
) => {
  const { sniffed, size, duration } = await probeSound(path, await sniffFile(path), context)
  if (size === null) throw new FaultError('unsupported_media', 'The file holds no video.')
  if (size.width * size.height > context.mostPixels)
    throw new FaultError('pixel_limit', 'The video has more pixels than are taken.')
  if (duration !== null && duration > context.longestAudioMs)
    throw new FaultError('media_too_long', 'The video is longer than is taken.')
  const input = { path, demuxer: sniffed.demuxer }
  const kept = (await watch(input, context, duration)).most(most)
  if (kept.length === 0) throw new FaultError('media_corrupt', 'The video shows nothing.')
  await write(input, kept, into, context)
  return kept.map(({ index }, i) => ({ file: fileOf(i), at: ms(Math.round((index * 1_000) / RATE)) }))
}

const fileOf = (i: number): string => `frame-${i + 1}.jpg`

/** Looks at the whole video, small. */
async function watch(input: FfmpegInput, context: TaskContext, duration: Ms | null): Promise<Scenes> {
  const seconds = Math.ceil(context.longestAudioMs / 1_000)
  const args = framesArguments(input, RATE, { width: WIDTH, height: HEIGHT }, seconds)
  const output = seconds * RATE * FRAME
  await using ffmpeg = new FfmpegProcess(context, args, { ...limits(context), output })
  const scenes = new Scenes()
  const frame = new Uint8Array(FRAME)
  let filled = 0
  let frames = 0
  for await (const chunk of ffmpeg.output()) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(FRAME - filled, chunk.length - at)
      frame.set(chunk.subarray(at, at + taken), filled)
      at += taken
      filled = (filled + taken) % FRAME
      if (filled !== 0) continue
      scenes.add(signalsOf(frame))
      if (++frames % TELL_EVERY === 0) context.progress((frames * 1_000) / RATE, duration ?? 0)
    }
  }
  return scenes
}

/** Goes through the video once more and writes what was chosen. */
async function write(input: FfmpegInput, kept: readonly Kept[], into: string, context: TaskContext): Promise<void> {
  const places = kept.map(({ index }) => index)
  const seconds = Math.ceil(context.longestAudioMs / 1_000)
  const args = stillsArguments(input, RATE, places, join(into, 'frame-%d.jpg'), seconds)
  await using ffmpeg = new FfmpegProcess(context, args, { ...limits(context), output: 0 })
  const { code } = await ffmpeg.end()
  if (code !== 0) throw new FaultError('media_corrupt', 'The video cannot be decoded.')
}

function limits({ longestAudioMs }: TaskContext) {
  return { wall: ms(Math.max(LEAST_WALL, 2 * longestAudioMs)), memory: MEMORY }
}
