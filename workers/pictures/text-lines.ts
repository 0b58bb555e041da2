import { type Bounds, heightAt, type Spot, type Spots, spotAt, widthAt } from './spots.ts'

/** Letters are at least so high, px: below that nothing is left to read. */
const LEAST_HEIGHT = 4
/** And at most so high: larger ones are a headline or no letter, and are legible at any size that is sent. */
const MOST_HEIGHT = 160
/** Widest spot, in heights: small or blurred letters run together into words. */
const WIDEST = 8
/** Farthest that the next letter of a line may begin, in heights: a wide space. */
const REACH = 2.2
/** Spots are looked up by bands of 2^5 = 32 rows. */
const BAND_BITS = 5

/** Letters that may make up a line of text: each stands beside the next, at its level and about as high. */
export type Line = readonly Spot[]

export const heightOf = (spot: Spot): number => spot.bottom - spot.top + 1

export interface LineBounds {
  /** Of a letter, px. */
  readonly leastHeight: number
  /** In a line. */
  readonly leastLetters: number
}

/** Groups spots into lines; those that cannot be a letter are left out. Letters stand in the order of their left sides. */
export function linesOf(
  spots: Spots,
  { leastHeight = LEAST_HEIGHT, leastLetters = 1 }: Partial<LineBounds> = {},
): Line[] {
  const letters = lettersOf(spots, leastHeight)
  const groups = groupsOf(spots, letters)
  const sizes = new Int32Array(letters.length)
  for (let i = 0; i < groups.length; i++) sizes[groups[i] as number] = (sizes[groups[i] as number] as number) + 1
  const lines = new Map<number, Spot[]>()
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] as number
    if ((sizes[group] as number) < leastLetters) continue
    const spot = spotAt(spots, letters[i] as number)
    const held = lines.get(group)
    if (held === undefined) lines.set(group, [spot])
    else held.push(spot)
  }
  return [...lines.values()]
}

/** Indexes of the spots that may be letters, by their left sides. */
function lettersOf(spots: Spots, leastHeight: number): Int32Array {
  const { count, left } = spots
  // Place and index in one number: numbers alone are sorted without a comparison of ours.
  const keys = new Float64Array(count)
  let letters = 0
  for (let i = 0; i < count; i++)
    if (mayBeLetter(spots, i, leastHeight)) keys[letters++] = (left[i] as number) * count + i
  keys.subarray(0, letters).sort()
  const sorted = new Int32Array(letters)
  for (let i = 0; i < letters; i++) sorted[i] = (keys[i] as number) % count
  return sorted
}

function mayBeLetter(spots: Spots, i: number, leastHeight: number): boolean {
  const height = heightAt(spots, i)
  const width = widthAt(spots, i)
  if (height < leastHeight || height > MOST_HEIGHT || width > height * WIDEST) return false
  const filled = (spots.area[i] as number) / (width * height)
  return filled > 0.12 && (filled < 0.97 || width <= height * 0.6)
}

/** For each letter the one that stands for its line. */
function groupsOf(spots: Spots, letters: Int32Array): Int32Array {
  const group = new Int32Array(letters.length)
  for (let i = 0; i < group.length; i++) group[i] = i
  const root = (i: number): number => {
    while (group[i] !== i) {
      group[i] = group[group[i] as number] as number
      i = group[i] as number
    }
    return i
  }
  const { first, members } = bandsOf(spots, letters)
  for (let band = 0; band + 1 < first.length; band++) {
    const end = first[band + 1] as number
    for (let a = first[band] as number; a < end; a++) {
      const i = members[a] as number
      const letter = letters[i] as number
      const reach = (spots.right[letter] as number) + REACH * heightAt(spots, letter)
      for (let b = a + 1; b < end; b++) {
        const j = members[b] as number
        const next = letters[j] as number
        if ((spots.left[next] as number) > reach) break
        if (areNeighbours(spots, letter, next)) group[root(j)] = root(i)
      }
    }
  }
  for (let i = 0; i < group.length; i++) group[i] = root(i)
  return group
}

/**
 * Letters by the bands of rows they touch, so that each is compared only with those near its own level: band `b` has the
 * members from `first[b]` on and before `first[b + 1]`.
 */
function bandsOf({ top, bottom }: Spots, letters: Int32Array): { first: Int32Array; members: Int32Array } {
  let bands = 0
  for (let i = 0; i < letters.length; i++)
    bands = Math.max(bands, ((bottom[letters[i] as number] as number) >> BAND_BITS) + 1)
  const first = new Int32Array(bands + 1)
  for (let i = 0; i < letters.length; i++) {
    const letter = letters[i] as number
    const lowest = (bottom[letter] as number) >> BAND_BITS
    for (let band = (top[letter] as number) >> BAND_BITS; band <= lowest; band++)
      first[band + 1] = (first[band + 1] as number) + 1
  }
  for (let band = 0; band < bands; band++) first[band + 1] = (first[band + 1] as number) + (first[band] as number)
  const members = new Int32Array(first[bands] as number)
  const next = first.slice()
  for (let i = 0; i < letters.length; i++) {
    const letter = letters[i] as number
    const lowest = (bottom[letter] as number) >> BAND_BITS
    for (let band = (top[letter] as number) >> BAND_BITS; band <= lowest; band++) {
      members[next[band] as number] = i
      next[band] = (next[band] as number) + 1
    }
  }
  return { first, members }
}

function areNeighbours(spots: Spots, a: number, b: number): boolean {
  const { left, top, right, bottom, kind } = spots
  if (kind[a] !== kind[b]) return false
  const higher = Math.max(heightAt(spots, a), heightAt(spots, b))
  const lower = Math.min(heightAt(spots, a), heightAt(spots, b))
  if (higher > lower * 2.1 || (left[b] as number) < (right[a] as number) - 0.3 * lower) return false
  // Letters stand on one baseline; those with descenders end at most two fifths below it.
  const [bottomA, bottomB] = [bottom[a] as number, bottom[b] as number]
  const shared = Math.min(bottomA, bottomB) - Math.max(top[a] as number, top[b] as number) + 1
  return shared >= 0.6 * lower && Math.abs(bottomA - bottomB) <= Math.max(1, 0.4 * higher)
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
