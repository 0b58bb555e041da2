import type { Box } from '../../src/media/picture/rule.ts'
import { evenShare } from './even.ts'
import type { Grey } from './grey.ts'
import { findSpots } from './ink.ts'
import { judge, type Print, smallXHeight } from './line-judgement.ts'
import { type Bounds, type Spots, turnedSpots } from './spots.ts'
import { type Line, linesOf, wordsOf } from './text-lines.ts'

/** Text in a view of a picture. */
export interface FoundText {
  /** Height of an x in the small text, px of the view with fractions. */
  readonly xHeight: number
  /** Nothing but text, or enough of it; else a picture with a few words in it. */
  readonly isPage: boolean
  /** Every letter or run of letters, where it stands. */
  readonly spots: readonly Box[]
  /** Everything that may be a word, where it stands. */
  readonly words: readonly Box[]
}

/** Fewer spots beside each other are no line. */
const LEAST_IN_LINE = 4
/** So many letters of print are text, where they are a good part of everything that looks like letters; photographs stay below. */
const LEAST_LETTERS = 16
const LEAST_SHARE = 0.28
/** So many are text whatever else is there: a page with pictures. */
const SURELY_LETTERS = 120
/** So many make a page; fewer do where little else stands on even paper, as on slides. */
const PAGE_LETTERS = 100
const PAGE_SHARE = 0.6
const PAGE_EVEN = 0.7

/** The text in a picture; null where it is none. Lines may run across, or down where pages lie on their side. */
export function findText(grey: Grey): FoundText | null {
  const spots = findSpots(grey)
  if (spots === null) return null
  const across = textIn(grey, spots)
  if (across !== null) return across
  const down = textIn(turned(grey), turnedSpots(spots))
  return down === null ? null : { ...down, spots: down.spots.map(turnedBox), words: down.words.map(turnedBox) }
}

function textIn(grey: Grey, found: Spots): FoundText | null {
  const groups = linesOf(found)
  const { prints, letters, all } = printIn(grey, groups)
  if (letters < SURELY_LETTERS && (letters < LEAST_LETTERS || letters < all * LEAST_SHARE)) return null
  const isPage = letters >= PAGE_LETTERS || (letters >= all * PAGE_SHARE && evenShare(grey) >= PAGE_EVEN)
  const spots = prints.flatMap(({ line }) => line.map(boxOf))
  return { xHeight: smallXHeight(prints), isPage, spots, words: groups.flatMap(wordsOf).map(boxOf) }
}

/** The lines of print, the letters in them, and everything that stands in a row. */
function printIn(grey: Grey, found: readonly Line[]) {
  const rows = found.filter((line) => line.length >= LEAST_IN_LINE)
  const prints = rows.map((line) => judge(grey, line)).filter((print): print is Print => print !== null)
  const count = (of: readonly Line[]) => of.reduce((sum, line) => sum + line.length, 0)
  return { prints, letters: count(prints.map(({ line }) => line)), all: count(rows) }
}

/** Letters of a glance may be so small, px; on even paper less, where words are all that is left of them. */
const LEAST_GLANCED = 3
const LEAST_ON_PAPER = 2
/** A glance with so many letters of print, and such a share of them, may hold text. */
const GLANCED_LETTERS = 8
const GLANCED_SHARE = 0.2
/** Paper and screens are even in half of their blocks; so are skies. */
const PAPER_SHARE = 0.45

/** Whether a small view may hold text that only a larger one shows; never said of too few, seldom of a photograph. */
export function mayHoldText(grey: Grey): boolean {
  const spots = findSpots(grey)
  if (spots === null) return true
  if (evenShare(grey) > PAPER_SHARE && [spots, turnedSpots(spots)].some(hasRows)) return true
  const bounds = { leastHeight: LEAST_GLANCED, leastLetters: LEAST_IN_LINE }
  const { letters, all } = printIn(grey, linesOf(spots, bounds))
  return letters >= SURELY_LETTERS || (letters >= GLANCED_LETTERS && letters >= all * GLANCED_SHARE)
}

function hasRows(spots: Spots): boolean {
  const rows = linesOf(spots, { leastHeight: LEAST_ON_PAPER, leastLetters: LEAST_IN_LINE })
  return rows.reduce((sum, row) => sum + row.length, 0) >= GLANCED_LETTERS
}

/** Rows become columns. */
function turned({ data, width, height }: Grey): Grey {
  const out = new Uint8Array(data.length)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = data[y * width + x] as number
  return { data: out, width: height, height: width }
}

const boxOf = ({ left, top, right, bottom }: Bounds): Box => ({
  left,
  top,
  width: right - left + 1,
  height: bottom - top + 1,
})

const turnedBox = ({ left, top, width, height }: Box): Box => ({ left: top, top: left, width: height, height: width })
