import { decoding, openPicture } from './decoder.ts'

/** What lies under a transparent picture. */
export interface Paper {
  readonly r: number
  readonly g: number
  readonly b: number
}

export const WHITE: Paper = { r: 255, g: 255, b: 255 }
/** Nearly black, as dark screens are. */
export const DARK: Paper = { r: 24, g: 24, b: 24 }
/** Side of the picture that is looked at, px. */
const LOOKED_AT = 256

/** The paper on which what is drawn shows: dark under light drawings, white under all others. Dark text would vanish on black. */
export async function paperUnder(path: string, mostPixels: number): Promise<Paper> {
  const { data } = await decoding(() =>
    openPicture(path, mostPixels)
      .resize(LOOKED_AT, LOOKED_AT, { fit: 'inside', withoutEnlargement: true })
      .ensureAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true }),
  )
  let drawn = 0
  let light = 0
  let clear = 0
  for (let at = 0; at + 3 < data.length; at += 4) {
    const alpha = data[at + 3] as number
    clear += 255 - alpha
    drawn += alpha
    light += alpha * brightness(data, at)
  }
  // Opaque all over: nothing shines through.
  if (drawn === 0 || clear === 0) return WHITE
  return light / drawn > LIGHT ? DARK : WHITE
}

/** From here on a drawing is light: it has less contrast to white than to the dark. */
const LIGHT = 190

const brightness = (data: Buffer, at: number): number =>
  0.3 * (data[at] as number) + 0.59 * (data[at + 1] as number) + 0.11 * (data[at + 2] as number)
