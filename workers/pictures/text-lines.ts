import type { Bounds, Spot } from './ink.ts'

/** Letters are at least so high, px: below that nothing is left to read. */
const LEAST_HEIGHT = 4
/** And at most so high: larger ones are a headline or no letter, and are legible at any size that is sent. */
const MOST_HEIGHT = 160
/** Widest spot, in heights: small or blurred letters run together into words. */
const WIDEST = 8
/** Farthest that the next letter of a line may begin, in heights: a wide space. */
const REACH = 2.2
/** Spots are looked up by bands of rows of this height, px. */
const BAND = 32

/** Letters that may make up a line of text: each stands beside the next, at its level and about as high. */
export type Line = readonly Spot[]

export const heightOf = (spot: Spot): number => spot.bottom - spot.top + 1
export const widthOf = (spot: Spot): number => spot.right - spot.left + 1

/** Groups spots into lines; those that cannot be a letter are left out. */
export function linesOf(spots: readonly Spot[], leastHeight = LEAST_HEIGHT): Line[] {
  const letters = spots.filter((spot) => mayBeLetter(spot, leastHeight)).sort((a, b) => a.left - b.left)
  const group = letters.map((_, i) => i)
  const root = (i: number): number => {
    while (group[i] !== i) {
      group[i] = group[group[i] as number] as number
      i = group[i] as number
    }
    return i
  }
  for (const band of bandsOf(letters)) {
    for (let a = 0; a < band.length; a++) {
      const i = band[a] as number
      const letter = letters[i] as Spot
      const reach = letter.right + REACH * heightOf(letter)
      for (let b = a + 1; b < band.length; b++) {
        const next = letters[band[b] as number] as Spot
        if (next.left > reach) break
        if (areNeighbours(letter, next)) group[root(band[b] as number)] = root(i)
      }
    }
  }
  const lines = new Map<number, Spot[]>()
  letters.forEach((letter, i) => {
    const held = lines.get(root(i))
    if (held === undefined) lines.set(root(i), [letter])
    else held.push(letter)
  })
  return [...lines.values()]
}

function mayBeLetter(spot: Spot, leastHeight: number): boolean {
  const height = heightOf(spot)
  const width = widthOf(spot)
  if (height < leastHeight || height > MOST_HEIGHT || width > height * WIDEST) return false
  const filled = spot.area / (width * height)
  return filled > 0.12 && (filled < 0.97 || width <= height * 0.6)
}

/** Indexes of letters by the bands they touch, so that each is compared only with those near its own level. */
function bandsOf(letters: readonly Spot[]): Iterable<readonly number[]> {
  const bands = new Map<number, number[]>()
  letters.forEach((letter, i) => {
    for (let band = Math.floor(letter.top / BAND); band <= Math.floor(letter.bottom / BAND); band++) {
      const held = bands.get(band)
      if (held === undefined) bands.set(band, [i])
      else held.push(i)
    }
  })
  return bands.values()
}

function areNeighbours(a: Spot, b: Spot): boolean {
  if (a.isDark !== b.isDark) return false
  const higher = Math.max(heightOf(a), heightOf(b))
  const lower = Math.min(heightOf(a), heightOf(b))
  if (higher > lower * 2.1 || b.left < a.right - 0.3 * lower) return false
  // Letters stand on one baseline; those with descenders end at most two fifths below it.
  const shared = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) + 1
  return shared >= 0.6 * lower && Math.abs(a.bottom - b.bottom) <= Math.max(1, 0.4 * higher)
}

/** Letters of a word are closer to each other than this, in heights of the lower one. */
const WITHIN_WORD = 0.4

/** The words of a line, where they stand. */
export function wordsOf(line: Line): Bounds[] {
  const words: { left: number; top: number; right: number; bottom: number }[] = []
  let before: Spot | null = null
  for (const letter of line.toSorted((a, b) => a.left - b.left)) {
    const { left, top, right, bottom } = letter
    const word = words.at(-1)
    const near = before === null ? 0 : WITHIN_WORD * Math.min(heightOf(before), heightOf(letter))
    if (word === undefined || left - word.right > near) words.push({ left, top, right, bottom })
    else {
      word.top = Math.min(word.top, top)
      word.right = Math.max(word.right, right)
      word.bottom = Math.max(word.bottom, bottom)
    }
    before = letter
  }
  return words
}
