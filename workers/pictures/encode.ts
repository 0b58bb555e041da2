import type { Sharp } from 'sharp'
import { decoding } from './decoder.ts'

export interface Encoded {
  readonly data: Buffer
  readonly mime: 'image/jpeg' | 'image/webp' | 'image/png'
}

export interface Manner {
  /** What the provider reads. */
  readonly formats: readonly ('jpeg' | 'png' | 'webp')[]
  readonly isText: boolean
  /** Nothing was saved in tokens: then nothing is lost in quality either, unless bytes are saved. */
  readonly isFine: boolean
  /** Few pixels or few colours: drawn, not photographed. */
  readonly isDrawn: boolean
  /** Only for large photographs, whose decoding is most of the work: WebP would take half of that again. */
  readonly isQuick: boolean
}

/** Text keeps its edges down to 40 (measured by OCR at 5 px x-height); pictures show blocks below 70. */
const WEBP = { text: 70, picture: 75, fine: 90 }
const JPEG = { usual: 80, fine: 92 }

/** The smallest of the formats that suit. Nothing of the original but its pixels goes along: no place, no profile, no comment. */
export async function encode(open: () => Sharp, manner: Manner): Promise<Encoded> {
  const lossy = await encodeLossy(open, manner)
  if (!manner.isDrawn || !manner.formats.includes('png')) return lossy
  const data = await decoding(() => open().png({ compressionLevel: 9, palette: !manner.isFine, effort: 7 }).toBuffer())
  return data.length < lossy.data.length ? { data, mime: 'image/png' } : lossy
}

async function encodeLossy(open: () => Sharp, manner: Manner): Promise<Encoded> {
  const { formats, isText, isFine, isQuick } = manner
  if (formats.includes('webp') && !isQuick) {
    const quality = isFine ? WEBP.fine : isText ? WEBP.text : WEBP.picture
    return {
      data: await decoding(() => open().webp({ quality, effort: 4, smartSubsample: isText }).toBuffer()),
      mime: 'image/webp',
    }
  }
  const quality = isFine ? JPEG.fine : JPEG.usual
  const chromaSubsampling = isText ? '4:4:4' : '4:2:0'
  return {
    data: await decoding(() => open().jpeg({ quality, chromaSubsampling, optimiseCoding: !isQuick }).toBuffer()),
    mime: 'image/jpeg',
  }
}
