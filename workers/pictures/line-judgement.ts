import type { Grey } from './grey.ts'
import type { Spot } from './ink.ts'
import { heightOf, type Line } from './text-lines.ts'

/** What a line turned out to be. */
export interface Judgement {
  readonly letters: number
  /** Print: a straight row on even paper in even ink. Foliage, gravel and fur make rows too, but neither is even. */
  readonly isText: boolean
  /** Height of its low letters, px with fractions. */
  readonly low: number
  /** And of its high ones: capitals, digits, letters with ascenders. */
  readonly high: number
  /** No letter is higher than the others. */
  readonly isOneHeight: boolean
}

/** Capitals and digits are so much higher than an x of the same type. */
const CAPITALS = 0.72
/** A line whose high letters are less than this times its low ones has capitals or digits only. */
const SAME_HEIGHT = 1.22
/** Small text is the tenth of all letters that is smallest. */
const SMALL_SHARE = 0.1

/**
 * Bounds measured on 43 photographs with their parts and enlargements, and 90 pages and screens: straight lines on paper that
 * varies by less than 6 % of the contrast; or long ones, curved as in a photograph of a book, on paper still more even.
 */
const STRAIGHT = { letters: 5, onBase: 0.6, paper: 0.06, ink: 0.12 }
const CURVED = { letters: 10, onBase: 0.2, paper: 0.045, ink: 0.07 }

export function judge(grey: Grey, line: Line): Judgement {
  const measures = line.map((spot) => measure(grey, spot))
  const letters = line.length
  const contrast = median(measures.map(({ contrast }) => contrast))
  const paper = spread(measures.map(({ paper }) => paper)) / contrast
  const ink = spread(measures.map(({ contrast }) => contrast)) / contrast
  const onBase = shareOnBase(line)
  const isLike = (bounds: typeof STRAIGHT) =>
    letters >= bounds.letters && onBase >= bounds.onBase && paper < bounds.paper && ink < bounds.ink
  return {
    letters,
    isText: isLike(STRAIGHT) || isLike(CURVED),
    ...heightsOf(measures.map(({ height }) => height)),
  }
}

interface Measure {
  /** With fractions: a row at the edge counts as far as it is inked. */
  readonly height: number
  /** Brightness of what lies around the letter, and how far its ink is from that. */
  readonly paper: number
  readonly contrast: number
}

function measure({ data, width, height }: Grey, spot: Spot): Measure {
  const left = Math.max(0, spot.left - 1)
  const right = Math.min(width - 1, spot.right + 1)
  const top = Math.max(0, spot.top - 1)
  const bottom = Math.min(height - 1, spot.bottom + 1)
  // Light letters are read as dark ones are, upside down.
  const flip = spot.isDark ? 0 : 255
  let paper = 0
  let ink = 255
  let darkestInAll = 0
  for (let y = top; y <= bottom; y++) {
    let row = 255
    for (let at = y * width + left; at <= y * width + right; at++) {
      const value = (data[at] as number) ^ flip
      if (value < row) row = value
      if (value > paper) paper = value
    }
    darkestInAll += row
    if (row < ink) ink = row
  }
  const contrast = Math.max(1, paper - ink)
  // Of each row its darkest pixel counts, as far as it is ink.
  const rows = ((bottom - top + 1) * paper - darkestInAll) / contrast
  return { height: rows, paper, contrast }
}

/** Heights of a line's letters, low and high, and whether all are as high. */
function heightsOf(heights: readonly number[]): Pick<Judgement, 'low' | 'high' | 'isOneHeight'> {
  const sorted = heights.toSorted((a, b) => a - b)
  // Without dots, commas and crumbs of letters.
  const whole = sorted.filter((height) => height >= 0.55 * quantile(sorted, 0.5))
  const low = quantile(whole, 0.3)
  const high = quantile(whole, 0.85)
  return { low, high, isOneHeight: high < low * SAME_HEIGHT }
}

/** Lines of fewer letters may have no ascender by chance: `mean`, `9 am`. */
const SHORT_LINE = 9
/** Heights this close are of one size of type. */
const ALIKE = 0.12

/**
 * Height of an x in the small text of a page, px. A line whose letters are all as high has capitals or digits, which are
 * higher than an x; a short one is small letters alone where more of the other lines have small letters of that height than
 * have capitals of it.
 */
export function smallXHeight(lines: readonly Judgement[]): number {
  const sure = lines.filter((line) => !line.isOneHeight)
  const alike = (height: number, of: 'low' | 'high') =>
    sure.reduce((sum, line) => sum + (Math.abs(height - line[of]) <= line[of] * ALIKE ? line.letters : 0), 0)
  const heights = lines.map(({ letters, low, isOneHeight }) => {
    const isSmall = letters < SHORT_LINE && alike(low, 'low') > alike(low, 'high')
    return { letters, xHeight: isOneHeight && !isSmall ? low * CAPITALS : low }
  })
  const total = heights.reduce((sum, line) => sum + line.letters, 0)
  let seen = 0
  for (const line of heights.sort((a, b) => a.xHeight - b.xHeight)) {
    seen += line.letters
    if (seen >= total * SMALL_SHARE) return line.xHeight
  }
  return 0
}

/** The share of letters that end on one straight line, which may be slanted. */
function shareOnBase(line: Line): number {
  const slope = slopeOf(line)
  const ends = line.map((spot) => spot.bottom - slope * spot.left).sort((a, b) => a - b)
  const tolerance = Math.max(1.01, 0.12 * median(line.map(heightOf)))
  let most = 0
  for (let last = 0, first = 0; last < ends.length; last++) {
    while ((ends[last] as number) - (ends[first] as number) > tolerance) first++
    most = Math.max(most, last - first + 1)
  }
  return most / line.length
}

/** Letters compared for the slope at most: more of them tell no more. */
const MOST_COMPARED = 60

/** Median slope between letters that are at least half a line apart. */
function slopeOf(line: Line): number {
  const step = Math.max(1, Math.floor(line.length / MOST_COMPARED))
  const letters = line.filter((_, i) => i % step === 0).sort((a, b) => a.left - b.left)
  const apart = Math.max(1, letters.length >> 1)
  const slopes: number[] = []
  for (let i = 0; i + apart < letters.length; i++) {
    for (let j = i + apart; j < letters.length; j++) {
      const [a, b] = [letters[i] as Spot, letters[j] as Spot]
      if (b.left > a.left) slopes.push((b.bottom - a.bottom) / (b.left - a.left))
    }
  }
  return slopes.length === 0 ? 0 : median(slopes)
}

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}

/** Median distance from the median. */
function spread(values: readonly number[]): number {
  const middle = median(values)
  return median(values.map((value) => Math.abs(value - middle)))
}
