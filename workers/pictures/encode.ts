import type { Sharp } from 'sharp'
import { FaultError } from '../../src/faults.ts'
import { decoding } from './decoder.ts'

export interface Encoded {
  readonly data: Buffer
  readonly mime: 'image/jpeg' | 'image/webp' | 'image/png'
}

export interface Manner {
  /** What the provider reads. */
  readonly formats: readonly ('jpeg' | 'png' | 'webp')[]
  /** Height of an x in the small text as it is sent, px; null where there is no text. */
  readonly xHeight: number | null
  /** Few pixels or few colours: drawn, not photographed. */
  readonly isDrawn: boolean
  /** Only for large photographs, whose decoding is most of the work: WebP would take half of that again. */
  readonly isQuick: boolean
}

type Quality = 'usual' | 'fine' | 'rough'

/**
 * Pictures show blocks below 70. Text of 8 px lost no word at 70 and some at 60 (measured by OCR on 46 pages); smaller letters
 * have no pixel to spare.
 */
const WEBP = { text: 70, smallText: 80, picture: 75, fine: 90, rough: 40 }
const SMALL_TEXT = 7
const JPEG = { usual: 80, fine: 92, rough: 50 }

export interface ByteBounds {
  /** Bytes of the original where nothing is saved in tokens: then nothing is lost in quality, unless bytes are saved. */
  readonly asItCame: number | null
  /** What the provider takes; null where no bound is known. */
  readonly most: number | null
}

/** At the quality that suits. Throws `media_refused` where that is too many bytes for the provider, however rough. */
export async function encodeWithin(
  open: () => Sharp,
  manner: Manner,
  { asItCame, most }: ByteBounds,
): Promise<Encoded> {
  const isTaken = ({ data }: Encoded) => most === null || data.length <= most
  const usual = await encode(open, manner, 'usual')
  if (!isTaken(usual)) {
    const rough = await encode(open, manner, 'rough')
    if (isTaken(rough)) return rough
    throw new FaultError('media_refused', 'The provider takes no picture of so many bytes.')
  }
  if (asItCame === null || usual.data.length < asItCame) return usual
  const fine = await encode(open, manner, 'fine')
  return isTaken(fine) ? fine : usual
}

/** The smallest of the formats that suit. Nothing of the original but its pixels goes along: no place, no profile, no comment. */
async function encode(open: () => Sharp, manner: Manner, quality: Quality): Promise<Encoded> {
  const lossy = await encodeLossy(open, manner, quality)
  if (!manner.isDrawn || !manner.formats.includes('png')) return lossy
  const data = await decoding(() =>
    open()
      .png({ compressionLevel: 9, palette: quality !== 'fine', effort: 7 })
      .toBuffer(),
  )
  return data.length < lossy.data.length ? { data, mime: 'image/png' } : lossy
}

async function encodeLossy(
  open: () => Sharp,
  { formats, xHeight, isQuick }: Manner,
  quality: Quality,
): Promise<Encoded> {
  const isText = xHeight !== null
  if (formats.includes('webp') && !isQuick) {
    const usual = xHeight === null ? 'picture' : xHeight < SMALL_TEXT ? 'smallText' : 'text'
    const options = { quality: WEBP[quality === 'usual' ? usual : quality], effort: 4, smartSubsample: isText }
    return { data: await decoding(() => open().webp(options).toBuffer()), mime: 'image/webp' }
  }
  const options = { quality: JPEG[quality], chromaSubsampling: isText ? '4:4:4' : '4:2:0', optimiseCoding: !isQuick }
  return { data: await decoding(() => open().jpeg(options).toBuffer()), mime: 'image/jpeg' }
}
