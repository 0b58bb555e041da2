import type { Box, Size } from './rule.ts'

/** Slices share so much of a side with the next one, so that what a cut goes through is whole in one of them. */
const OVERLAP = 0.04
/** At least so many x-heights across, a word of eight letters, and down, a whole line. */
const OVERLAP_ACROSS = 9
const OVERLAP_DOWN = 3

/** A grid of `columns` × `rows` over a size, in reading order; bounds in whole px, all of one size. */
export function sliceInto(size: Size, columns: number, rows: number, xHeight: number): Box[] {
  const width = sliceSide(size.width, columns, OVERLAP_ACROSS * xHeight)
  const height = sliceSide(size.height, rows, OVERLAP_DOWN * xHeight)
  const boxes: Box[] = []
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const left = startOf(column, columns, size.width, width)
      const top = startOf(row, rows, size.height, height)
      boxes.push({ left, top, width, height })
    }
  }
  return boxes
}

function sliceSide(side: number, slices: number, leastOverlap: number): number {
  if (slices === 1) return side
  const byShare = side / (slices - (slices - 1) * OVERLAP)
  const byText = (side + (slices - 1) * leastOverlap) / slices
  return Math.min(side, Math.ceil(Math.max(byShare, byText)))
}

const startOf = (i: number, slices: number, side: number, length: number): number =>
  slices === 1 ? 0 : Math.round((i * (side - length)) / (slices - 1))
