import type { Pixels } from './decoder.ts'
import type { Grey } from './grey.ts'

/** Evenness is judged by squares of this side, px, and the range of brightness in them, of 255. */
const BLOCK = 8
const EVEN = 8
/** Of pages set into photographs, four times smaller, none was suspected of text that had less than 1.4 % of even blocks. */
const LEAST_EVEN = 0.005

/** The share of a picture that is even, as paper, screens and skies are; all of one that is smaller than a block. */
export function evenShare(grey: Grey): number {
  const blocks = blocksIn(grey)
  return blocks === 0 ? 1 : countEven(grey, 1, 0, blocks) / blocks
}

/**
 * Whether hardly anything in a view is even, as in gravel, foliage and fur, so that there is no paper for print to stand on.
 * Only to be asked of views in which no grain is left: it makes paper uneven, too. By green, the most of brightness.
 */
export function isBusy(view: Pixels): boolean {
  const most = blocksIn(view) * LEAST_EVEN
  return countEven(view, 3, 1, most) < most
}

const blocksIn = ({ width, height }: Grey): number => Math.floor(width / BLOCK) * Math.floor(height / BLOCK)

/** Even blocks, `most` at the most; of each pixel's `step` samples the one at `first` counts. */
function countEven({ data, width, height }: Grey, step: number, first: number, most: number): number {
  let even = 0
  for (let top = 0; top + BLOCK <= height; top += BLOCK) {
    for (let left = 0; left + BLOCK <= width; left += BLOCK) {
      if (isEven(data, (top * width + left) * step + first, step, width * step)) even++
      if (even >= most) return even
    }
  }
  return even
}

function isEven(data: Uint8Array, first: number, step: number, row: number): boolean {
  let darkest = 255
  let lightest = 0
  for (let from = first; from < first + BLOCK * row; from += row) {
    for (let at = from; at < from + BLOCK * step; at += step) {
      const value = data[at] as number
      if (value < darkest) darkest = value
      if (value > lightest) lightest = value
    }
    if (lightest - darkest > EVEN) return false
  }
  return true
}
