import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FaultError } from '../../src/faults.ts'
import { type PicturePlan, planPicture } from '../../src/media/picture/plan.ts'
import { providerNamed } from '../../src/media/picture/rule-table.ts'
import { tokensOf } from '../../src/media/picture/tokens-of.ts'
import type { PictureTarget } from '../../src/media/picture-target.ts'
import type { PictureFile, PreparedPicture, PreparePicture } from '../../src/media/prepared-picture.ts'
import type { Instant } from '../../src/units.ts'
import { Buffers } from './buffers.ts'
import { type Encoded, encodeWithin, type Manner } from './encode.ts'
import { readHeader } from './header.ts'
import { look } from './look.ts'
import { paperUnder, WHITE } from './paper.ts'
import { readPage } from './read-page.ts'
import { type Original, openPieces } from './view.ts'

export interface PictureLimits {
  /** Larger pictures are refused. */
  readonly mostPixels: number
  /** The day whose table of models holds. */
  readonly at: Instant
}

/** Pictures of fewer pixels are drawn, whatever their colours: icons. */
const TINY_PIXELS = 16_384
/** Photographs of more pixels than this are mostly decoding. */
const LARGE_PIXELS = 8_000_000

/**
 * Makes of a picture what is worth sending to a model (Q4): upright, without metadata, without an even border, in the fewest
 * tokens of the model's own rule at which its text can be read. Files are written into `into`, an empty folder. Of an
 * animation or a document of several pages the first is taken. Throws `unsupported_media`, `media_corrupt`, `pixel_limit`,
 * `media_too_heavy`, and `media_refused` where the provider takes it in no size.
 */
export async function preparePicture(
  path: string,
  into: string,
  options: PreparePicture,
  { mostPixels, at }: PictureLimits,
): Promise<PreparedPicture> {
  using buffers = new Buffers()
  const { target } = options
  const header = await readHeader(path, mostPixels)
  const { size, format, bytes, pages } = header
  const paper = header.hasAlpha ? await paperUnder(path, mostPixels) : WHITE
  const original: Original = { path, mostPixels, header, paper, buffers }
  const described = { ...size, bytes, format, pages, tokens: tokensOf(target, size.width, size.height, at).tokens }

  const asPhotograph = planned(planPicture(target, { size, content: null, text: null }, options, at))
  const seen = await look(original, (asPhotograph.pieces[0] as PicturePlan['pieces'][0]).size, options.crop)
  if (options.ocr && seen.text !== null) {
    const text = await readPage(seen)
    if (text !== null) return { ...asText(text), original: described }
  }

  const isPlain = seen.content === null && seen.text === null
  const plan = isPlain
    ? asPhotograph
    : planned(planPicture(target, { size, content: seen.content, text: seen.text }, options, at))
  const { formats, maxBytes } = providerNamed(target.provider)
  const isQuick = seen.text === null && size.width * size.height > LARGE_PIXELS
  const pictures: PictureFile[] = []
  for (const [i, open] of (await openPieces(original, seen.view, plan.pieces, isQuick)).entries()) {
    const piece = plan.pieces[i] as PicturePlan['pieces'][0]
    const isTiny = piece.size.width * piece.size.height <= TINY_PIXELS
    const manner: Manner = {
      formats,
      xHeight: seen.text === null ? null : (seen.text.xHeight * piece.size.width) / piece.box.width,
      isDrawn: seen.isDrawn || isTiny,
      isQuick,
    }
    const encoded = await encodeWithin(open, manner, {
      asItCame: plan.untouched ? bytes : null,
      most: maxBytes ?? null,
    })
    const tokens = tokensOf({ ...target, detail: plan.detail }, piece.size.width, piece.size.height, at).tokens
    pictures.push(await save(encoded, into, i, { ...piece.size, detail: detailFor(target, plan), tokens }))
  }
  return { pictures, text: null, original: described, tokens: plan.tokens, untouched: plan.untouched }
}

function planned(plan: PicturePlan | null): PicturePlan {
  if (plan === null) throw new FaultError('media_refused', 'The model takes this picture in no size.')
  return plan
}

function detailFor(target: PictureTarget, plan: PicturePlan): PictureFile['detail'] {
  return providerNamed(target.provider).details.includes(plan.detail) ? plan.detail : null
}

async function save(
  { data, mime }: Encoded,
  into: string,
  index: number,
  about: Pick<PictureFile, 'width' | 'height' | 'detail' | 'tokens'>,
): Promise<PictureFile> {
  const file = `picture-${index + 1}.${mime.slice('image/'.length)}`
  await writeFile(join(into, file), data, { flag: 'wx' })
  const sha256 = createHash('sha256').update(data).digest('hex')
  return { ...about, file, mime, bytes: data.length, sha256 }
}

/** Characters of English prose that are one token, about. */
const CHARACTERS_A_TOKEN = 4

function asText(text: string): Omit<PreparedPicture, 'original'> {
  return { pictures: [], text, tokens: Math.ceil(text.length / CHARACTERS_A_TOKEN), untouched: false }
}
