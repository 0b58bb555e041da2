import type { Sharp } from 'sharp'
import type { Box, Size } from '../../src/media/picture/rule.ts'
import type { Buffers } from './buffers.ts'
import { decoding, fromPixels, openPicture, type Pixels } from './decoder.ts'
import type { Header } from './header.ts'
import type { Paper } from './paper.ts'

/** A file whose header is read, on its way to pixels. */
export interface Original {
  readonly path: string
  readonly mostPixels: number
  readonly header: Header
  /** What lies under it where it is transparent. */
  readonly paper: Paper
  /** Where its pixels are kept, as long as it is worked on. */
  readonly buffers: Buffers
}

/** The original in memory, perhaps smaller. */
export interface View extends Pixels {
  /** Its width as a share of the original's. */
  readonly scale: number
}

/** The upright original, opaque and in sRGB; nothing is decoded yet. */
export function upright({ path, mostPixels, header, paper }: Original): Sharp {
  const picture = openPicture(path, mostPixels, header.isSrgb).autoOrient().toColourspace('srgb')
  return header.hasAlpha ? picture.flatten({ background: paper }) : picture
}

/**
 * The whole original at a size. `isQuick`: with the filter of least work, for photographs, of which the decoder of JPEG has
 * taken most of the size already; letters would lose some of their edges.
 */
export async function decodeAt(original: Original, { width, height }: Size, isQuick = false): Promise<View> {
  const { size } = original.header
  const isWhole = width === size.width && height === size.height
  const kernel = isQuick ? 'linear' : 'lanczos3'
  const picture = isWhole ? upright(original) : upright(original).resize(width, height, { fit: 'fill', kernel })
  return { ...(await pixelsOf(picture, original.buffers)), scale: width / size.width }
}

async function pixelsOf(picture: Sharp, buffers: Buffers): Promise<Pixels> {
  const { data, info } = await decoding(() => picture.raw().toBuffer({ resolveWithObject: true }))
  return { data: buffers.keep(data), width: info.width, height: info.height }
}

/** Enlarging the share that is left of a view would blur it: pieces larger than this are decoded anew. */
const SHARP_SHARE = 0.7

export interface Piece {
  readonly box: Box
  readonly size: Size
}

/**
 * Each piece as something that can be encoded, any number of times: from the view where that is sharp enough. `isQuick`: a
 * photograph, of which a part is decoded faster with the whole, because then the decoder of JPEG leaves most of the work out.
 */
export async function openPieces(
  original: Original,
  view: View,
  pieces: readonly Piece[],
  isQuick: boolean,
): Promise<readonly (() => Sharp)[]> {
  const scale = Math.max(...pieces.map(({ box, size }) => size.width / box.width))
  if (view.scale === 1 || scale <= view.scale * SHARP_SHARE) return pieces.map((piece) => cut(view, view.scale, piece))
  const [only] = pieces
  if (pieces.length === 1 && only !== undefined) {
    const { box, size } = only
    if (box.width === original.header.size.width && view.width === size.width && view.height === size.height)
      return [() => fromPixels(view)]
    if (!isQuick) {
      const pixels = await pixelsOf(part(upright(original), box, size), original.buffers)
      return [() => fromPixels(pixels)]
    }
  }
  const { width, height } = original.header.size
  const scaled = { width: Math.round(width * scale), height: Math.round(height * scale) }
  const whole = await decodeAt(original, scaled, isQuick)
  return pieces.map((piece) => cut(whole, whole.scale, piece))
}

function cut(pixels: Pixels, scale: number, { box, size }: Piece): () => Sharp {
  const left = Math.min(Math.round(box.left * scale), pixels.width - 1)
  const top = Math.min(Math.round(box.top * scale), pixels.height - 1)
  const width = Math.max(1, Math.min(Math.round(box.width * scale), pixels.width - left))
  const height = Math.max(1, Math.min(Math.round(box.height * scale), pixels.height - top))
  return () => part(fromPixels(pixels), { left, top, width, height }, size)
}

const part = (picture: Sharp, box: Box, { width, height }: Size): Sharp =>
  picture.extract(box).resize(width, height, { fit: 'fill' })
