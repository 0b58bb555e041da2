import { stat } from 'node:fs/promises'
import { FaultError } from '../../src/faults.ts'
import type { Size } from '../../src/media/picture/rule.ts'
import { sniffFile } from '../tools/probe.ts'
import { decoding, openPicture, TOO_LARGE } from './decoder.ts'

/** A progressive JPEG is held in memory whole, as coefficients, before its first row comes out. */
const MOST_PROGRESSIVE_PIXELS = 25_000_000

/** What a picture's header says, before any of it is decoded. */
export interface Header {
  /** As libvips calls it: `jpeg`, `png`, `webp`, `gif`, `tiff`, `heif`. */
  readonly format: string
  /** As it stands upright. */
  readonly size: Size
  readonly bytes: number
  /** Frames of an animation, pages of a document; only the first is looked at. */
  readonly pages: number
  readonly hasAlpha: boolean
  /** Its colours are sRGB already, or said to be nothing else, so that a profile has nothing to convert. */
  readonly isSrgb: boolean
}

/**
 * Reads a header. Throws `unsupported_media` for what is no picture of ours (HEIC among them: its HEVC pictures cannot be
 * decoded here), `media_corrupt`, and `pixel_limit` for what would take too much memory.
 */
export async function readHeader(path: string, mostPixels: number): Promise<Header> {
  const { kind } = await sniffFile(path)
  if (kind !== 'image') throw new FaultError('unsupported_media', 'The file is no picture.')
  const { size: bytes } = await stat(path)
  const found = await decoding(() => openPicture(path, mostPixels).metadata())
  if (found.compression === 'hevc')
    throw new FaultError('unsupported_media', 'HEIC pictures are not taken: send JPEG, PNG, WebP, AVIF, GIF or TIFF.')
  const { width, height } = found.autoOrient
  const pixels = width * height
  const isProgressive = found.format === 'jpeg' && found.isProgressive === true
  if (pixels > (isProgressive ? Math.min(MOST_PROGRESSIVE_PIXELS, mostPixels) : mostPixels))
    throw new FaultError('pixel_limit', TOO_LARGE)
  return {
    format: found.format,
    size: { width, height },
    bytes,
    pages: found.pages ?? 1,
    hasAlpha: found.hasAlpha,
    isSrgb: found.space !== 'cmyk' && (found.icc === undefined || isSrgbProfile(found.icc)),
  }
}

/** The names under which the profile of sRGB travels; every other one is converted. */
function isSrgbProfile(profile: Buffer): boolean {
  const words = profile.toString('latin1')
  return /sRGB|s\0R\0G\0B/.test(words) && !/P\0?3/.test(words)
}
