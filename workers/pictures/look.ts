import type { TextFacts } from '../../src/media/picture/plan.ts'
import type { Box, Size } from '../../src/media/picture/rule.ts'
import { contentOf, NOISE } from './border.ts'
import type { Pixels } from './decoder.ts'
import { isBusy } from './even.ts'
import { findText, mayHoldText } from './find-text.ts'
import { type Grey, greyOf } from './grey.ts'
import { decodeAt, type Original, type View } from './view.ts'

/** What a picture was found to hold, and the view it was found in. */
export interface Look {
  readonly view: View
  /** Without its even border, px of the original. */
  readonly content: Box | null
  readonly text: TextFacts | null
  /** Letters and words, where they stand in the view. */
  readonly spots: readonly Box[]
  /** Few colours: drawn, not photographed. */
  readonly isDrawn: boolean
}

/** Pixels that are looked at, at most: text of a page in 600 dpi still stands above 6 px in them. */
const VIEW_PIXELS = 2_100_000
/** At this share of its width no grain is left of a photograph: each pixel is the mean of sixteen. */
const WITHOUT_GRAIN = 1 / 4

/**
 * Looks at a picture. A large JPEG is glanced at first in `glance`, the size it would be sent at as a photograph, because
 * its decoder can leave most of the work out; where that may hold text it is looked at in full.
 */
export async function look(original: Original, glance: Size, crop: boolean): Promise<Look> {
  const { size, format } = original.header
  const full = Math.min(1, Math.sqrt(VIEW_PIXELS / (size.width * size.height)))
  if (format === 'jpeg' && full < 1 && glance.width < size.width * full) {
    const view = await decodeAt(original, glance, true)
    if ((view.scale <= WITHOUT_GRAIN && isBusy(view)) || !mayHoldText(greyIn(view, original)))
      return { view, content: found(view, size, crop, NOISE.picture), text: null, spots: [], isDrawn: false }
  }
  const scaled = {
    width: Math.max(1, Math.round(size.width * full)),
    height: Math.max(1, Math.round(size.height * full)),
  }
  const view = await decodeAt(original, scaled)
  const grey = greyIn(view, original)
  const text = findText(grey)
  return {
    view,
    content: found(view, size, crop, text?.isPage === true ? NOISE.page : NOISE.picture),
    text:
      text === null
        ? null
        : {
            xHeight: text.xHeight / view.scale,
            isFew: !text.isPage,
            words: text.words.map((word) => inOriginal(word, view, size)),
          },
    spots: text === null ? [] : text.spots,
    isDrawn: hasFewColours(view),
  }
}

function greyIn({ data, width, height }: View, { buffers }: Original): Grey {
  const grey = greyOf(data, width, height)
  buffers.keep(grey.data)
  return grey
}

/** What is left without the even border, px of the original. */
function found(view: View, size: Size, crop: boolean, noise: number): Box | null {
  const box = crop ? contentOf(view, noise) : null
  return box === null ? null : inOriginal(box, view, size)
}

/** A box of the view in pixels of the original. */
function inOriginal(box: Box, view: View, size: Size): Box {
  const left = Math.floor(box.left / view.scale)
  const top = Math.floor(box.top / view.scale)
  return {
    left,
    top,
    width: Math.min(size.width - left, Math.ceil(box.width / view.scale)),
    height: Math.min(size.height - top, Math.ceil(box.height / view.scale)),
  }
}

/** Pixels looked at, and colours among them from which on a picture is no drawing. */
const SAMPLED = 20_000
const MANY_COLOURS = 300

function hasFewColours({ data }: Pixels): boolean {
  const pixels = data.length / 3
  const step = Math.max(1, Math.floor(pixels / SAMPLED))
  const colours = new Set<number>()
  for (let i = 0; i < pixels; i += step) {
    colours.add(data.readUIntBE(i * 3, 3))
    if (colours.size >= MANY_COLOURS) return false
  }
  return true
}
