import sharp, { type Sharp } from 'sharp'
import { FaultError } from '../../src/faults.ts'

// Nothing but these decoders may ever see a file: SVG, PDF and the rest open other files, or run for ever on a kilobyte.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: [
    'VipsForeignLoadJpeg',
    'VipsForeignLoadPng',
    'VipsForeignLoadWebp',
    'VipsForeignLoadNsgif',
    'VipsForeignLoadTiff',
    'VipsForeignLoadHeif',
  ],
})
// Every picture is another one, and one thread each is the least work in all; both keep memory flat.
sharp.cache(false)
sharp.concurrency(1)

/** Looked at between rows; the pool's own limit stands behind it. */
const LONGEST_DECODE_S = 20

/** A file of ours as a picture: its first page or frame. Broken files are rejected, nothing is made up of half of one. */
export function openPicture(path: string, mostPixels: number, ignoreIcc = false): Sharp {
  const options = { limitInputPixels: mostPixels, failOn: 'error', sequentialRead: true, pages: 1, ignoreIcc } as const
  return sharp(path, options).timeout({ seconds: LONGEST_DECODE_S })
}

/** Samples of a picture that stands upright: 8-bit sRGB, three a pixel, row by row. */
export interface Pixels {
  readonly data: Buffer
  readonly width: number
  readonly height: number
}

/** Pixels as the start of another operation. */
export function fromPixels({ data, width, height }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } })
}

/**
 * Runs one operation of the library; what it says of a file is told in our terms, without its words. The file's first bytes
 * have been looked at by then, so that one it does not know is one of ours that is broken.
 */
export async function decoding<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (cause instanceof FaultError) throw cause
    const words = cause instanceof Error ? cause.message : ''
    if (/exceeds pixel limit/i.test(words)) throw new FaultError('pixel_limit', TOO_LARGE, { cause })
    if (/timeout/i.test(words))
      throw new FaultError('media_too_heavy', 'The picture takes too long to decode.', { cause })
    throw new FaultError('media_corrupt', 'The picture cannot be decoded.', { cause })
  }
}

export const TOO_LARGE = 'The picture has more pixels than are taken.'
