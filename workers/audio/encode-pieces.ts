import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { lengthOf, RATE, type Region, toMs } from '../../src/media/audio/samples.ts'
import { mapOf } from '../../src/media/audio/time-map.ts'
import type { UploadFormat } from '../../src/media/audio/upload-format.ts'
import type { AudioPiece } from '../../src/media/prepared-audio.ts'
import { bytes, ms } from '../../src/units.ts'
import { encodeArguments } from '../tools/ffmpeg-command.ts'
import { FfmpegProcess } from '../tools/ffmpeg-process.ts'
import type { ToolContext } from '../tools/tool-settings.ts'

const MIMES = { flac: 'audio/flac', opus: 'audio/ogg' } as const
const ENDINGS = { flac: 'flac', opus: 'ogg' } as const
/** The encoder waits for the decoder, so its time is the decoder's; this is only the last net. */
const LIMITS = { wall: ms(6 * 3_600_000), memory: bytes(256 * 1_024 * 1_024), output: 0 }

/** What a piece will be made of. */
export interface PlannedPiece {
  /** In order, samples of the recording. */
  readonly regions: readonly Region[]
  readonly format: UploadFormat
}

/**
 * Makes the files of all pieces out of one pass over the sound: what is kept goes straight into the encoder of its piece,
 * and nothing lies in between. `passed` is told the samples so far. Gives fewer pieces where the sound ends early.
 */
export async function encodePieces(
  tools: Pick<ToolContext, 'ffmpeg' | 'prlimit'>,
  blocks: AsyncIterable<Int16Array>,
  planned: readonly PlannedPiece[],
  into: string,
  passed: (samples: number) => void,
): Promise<AudioPiece[]> {
  const sound = new Cursor(blocks, passed)
  const pieces: AudioPiece[] = []
  try {
    for (const [index, { regions, format }] of planned.entries()) {
      const file = `piece-${String(index).padStart(4, '0')}.${ENDINGS[format]}`
      const path = join(into, file)
      const had: Region[] = []
      await using encoder = new FfmpegProcess(tools, encodeArguments(RATE, format, path), LIMITS)
      for (const region of regions) {
        const end = await sound.copy(region, (samples) => encoder.write(bytesOf(samples)))
        if (end > region.start) had.push({ start: region.start, end })
      }
      const { code } = await encoder.finish()
      if (code !== 0) throw new Error('a piece could not be encoded')
      const length = had.reduce((sum, region) => sum + lengthOf(region), 0)
      if (length === 0) break
      const { size, sha256 } = await measure(path)
      const mime = MIMES[format]
      pieces.push({ index, file, mime, bytes: size, sha256, duration: toMs(length), map: mapOf(had) })
    }
  } finally {
    await sound.close()
  }
  return pieces
}

/** Reads sound forwards, one region after the other. */
class Cursor {
  readonly #blocks: AsyncIterator<Int16Array>
  readonly #passed: (samples: number) => void
  #block = new Int16Array(0)
  /** Where the block begins in the recording. */
  #at = 0

  constructor(blocks: AsyncIterable<Int16Array>, passed: (samples: number) => void) {
    this.#blocks = blocks[Symbol.asyncIterator]()
    this.#passed = passed
  }

  /** Hands over the samples of a region; gives where it ended, which is early only where the sound does. */
  async copy({ start, end }: Region, take: (samples: Int16Array) => Promise<void>): Promise<number> {
    let done = start
    while (done < end) {
      const until = this.#at + this.#block.length
      if (done >= until) {
        const next = await this.#blocks.next()
        if (next.done === true) return done
        this.#at = until
        this.#block = next.value as Int16Array<ArrayBuffer>
        this.#passed(until)
        continue
      }
      const part = this.#block.subarray(done - this.#at, Math.min(end, until) - this.#at)
      await take(part)
      done += part.length
    }
    return done
  }

  async close(): Promise<void> {
    await this.#blocks.return?.()
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Int16Array) => new Uint8Array(buffer, byteOffset, byteLength)

/** Size and hash of a file of ours. */
export async function measure(path: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  const { size } = await stat(path)
  return { size, sha256: hash.digest('hex') }
}
