import type { Grey } from './grey.ts'
import type { Spot } from './spots.ts'
import { heightOf, type Line } from './text-lines.ts'

/** A line of print. */
export interface Print {
  readonly line: Line
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

/** Null where it is none: print is a straight row on even paper in even ink. Foliage, gravel and fur make rows too, but neither is even. */
export function judge(grey: Grey, line: Line): Print | null {
  const { heights, papers, contrasts } = measuresOf(grey, line)
  const contrast = median(contrasts)
  const paper = spread(papers) / contrast
  const ink = spread(contrasts) / contrast
  const isEven = (bounds: typeof STRAIGHT) => line.length >= bounds.letters && paper < bounds.paper && ink < bounds.ink
  const bounds = isEven(STRAIGHT) ? STRAIGHT.onBase : Number.POSITIVE_INFINITY
  const least = Math.min(bounds, isEven(CURVED) ? CURVED.onBase : Number.POSITIVE_INFINITY)
  return least > 1 || shareOnBase(line) < least ? null : { line, ...heightsOf(heights) }
}

interface Measures {
  /** With fractions: a row at the edge counts as far as it is inked. */
  readonly heights: Float64Array
  /** Brightness of what lies around each letter, and how far its ink is from that. */
  readonly papers: Float64Array
  readonly contrasts: Float64Array
}

function measuresOf({ data, width, height }: Grey, line: Line): Measures {
  const heights = new Float64Array(line.length)
  const papers = new Float64Array(line.length)
  const contrasts = new Float64Array(line.length)
  for (let i = 0; i < line.length; i++) {
    const spot = line[i] as Spot
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
    heights[i] = ((bottom - top + 1) * paper - darkestInAll) / contrast
    papers[i] = paper
    contrasts[i] = contrast
  }
  return { heights, papers, contrasts }
}

/** Heights of a line's letters, low and high, and whether all are as high. */
function heightsOf(heights: Float64Array): Omit<Print, 'line'> {
  const sorted = heights.toSorted()
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
export function smallXHeight(lines: readonly Print[]): number {
  const sure = lines.filter(({ isOneHeight }) => !isOneHeight)
  const alike = (height: number, of: 'low' | 'high') =>
    sure.reduce((sum, print) => sum + (Math.abs(height - print[of]) <= print[of] * ALIKE ? print.line.length : 0), 0)
  const heights = lines.map(({ line, low, isOneHeight }) => {
    const letters = line.length
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
  const ends = Float64Array.from(line, (spot) => spot.bottom - slope * spot.left).sort()
  const tolerance = Math.max(1.01, 0.12 * median(Float64Array.from(line, heightOf)))
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
  return slopes.length === 0 ? 0 : median(Float64Array.from(slopes))
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

const median = (values: Float64Array): number => quantile(values.toSorted(), 0.5)

/** Median distance from the median. */
function spread(values: Float64Array): number {
  const middle = median(values)
  return median(values.map((value) => Math.abs(value - middle)))
}
