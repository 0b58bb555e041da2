import { RATE } from '../../src/media/audio/samples.ts'
import { bytes, ms } from '../../src/units.ts'
import { collect } from '../tools/collect.ts'
import { decodeArguments, type FfmpegInput } from '../tools/ffmpeg-command.ts'
import { FfmpegProcess } from '../tools/ffmpeg-process.ts'
import type { ToolContext } from '../tools/tool-settings.ts'

/** What decoding sound may take beyond the code of ffmpeg; ordinary files need a tenth, bytes. */
const MEMORY = bytes(384 * 1_024 * 1_024)
/** Decoding slower than the sound itself is no ordinary file; the reader may be slow too, so twice that, ms. */
const LEAST_WALL = 30_000
const BYTES = 2
/** Sound that may go by before its buffers are collected, bytes: 4 minutes. */
const COLLECT_EVERY = 8 * 1_024 * 1_024

/**
 * The first sound track as 16 kHz mono, in blocks of whole samples, as fast as they are taken. Throws `media_too_long` once it
 * goes on for longer than `longestMs`, `media_corrupt` where nothing can be decoded, `media_too_heavy`.
 */
export async function* decode(
  tools: Pick<ToolContext, 'ffmpeg' | 'prlimit'>,
  input: FfmpegInput,
  longestMs: number,
): AsyncGenerator<Int16Array> {
  const limits = {
    wall: ms(Math.max(LEAST_WALL, 2 * longestMs)),
    memory: MEMORY,
    output: Math.ceil((longestMs * RATE) / 1_000) * BYTES,
  }
  // A second more than is taken, so that what is too long is known by its length.
  const args = decodeArguments(input, RATE, Math.ceil(longestMs / 1_000) + 1)
  await using ffmpeg = new FfmpegProcess(tools, args, limits)
  let rest: Buffer = Buffer.alloc(0)
  let gathered = 0
  for await (const chunk of ffmpeg.output()) {
    gathered += chunk.length
    if (gathered > COLLECT_EVERY) {
      collect('minor')
      gathered = 0
    }
    const block = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const whole = block.length - (block.length % BYTES)
    rest = block.subarray(whole)
    if (whole > 0) yield samplesOf(block.subarray(0, whole))
  }
}

/** The same bytes as samples; copied only where they do not lie on an even address. */
function samplesOf(block: Buffer): Int16Array {
  const isEven = block.byteOffset % BYTES === 0
  const { buffer, byteOffset } = isEven ? block : Buffer.from(new Uint8Array(block))
  return new Int16Array(buffer, byteOffset, block.length / BYTES)
}
