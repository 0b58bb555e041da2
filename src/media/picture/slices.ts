import type { Box, Size } from './rule.ts'

/** Text of which parts are cut out. */
export interface Print {
  /** Height of an x in the small text, px. */
  readonly xHeight: number
  /** Where words stand, px; null where nobody has looked. */
  readonly words: readonly Box[] | null
}

/** Two slices share at least so many x-heights: what stands out a little from a letter is cut off in neither. */
const LEAST_SHARED = 1
/** And at most so many: a longer word is no word. */
const MOST_SHARED = 20
/** Where words are not known, a word of eight letters across, and down a whole line. */
const SHARED_UNSEEN = { across: 9, down: 3 }

/**
 * Ways to cut a part of a picture into slices. Slices of one way are all of one size, the smallest at which every word is
 * whole in one of them: they share with the next what a cut goes through, and hardly anything where it goes between words.
 */
export class Slicer {
  readonly #box: Box
  readonly #across: Side
  readonly #down: Side

  constructor(box: Box, { xHeight, words }: Print) {
    this.#box = box
    const shared = (unseen: number) => ({
      least: Math.ceil(xHeight * (words === null ? unseen : LEAST_SHARED)),
      most: Math.ceil(xHeight * MOST_SHARED),
    })
    const across = words?.map(({ left, width }): Stretch => [left - box.left, left - box.left + width])
    const down = words?.map(({ top, height }): Stretch => [top - box.top, top - box.top + height])
    this.#across = new Side(box.width, across ?? [], shared(SHARED_UNSEEN.across))
    this.#down = new Side(box.height, down ?? [], shared(SHARED_UNSEEN.down))
  }

  /** A grid of `columns` × `rows` in reading order; bounds in whole px of the picture. */
  grid(columns: number, rows: number): { readonly size: Size; readonly boxes: readonly Box[] } {
    const across = this.#across.parted(columns)
    const down = this.#down.parted(rows)
    const size = { width: across.length, height: down.length }
    const boxes = down.starts.flatMap((top) =>
      across.starts.map((left) => ({ left: this.#box.left + left, top: this.#box.top + top, ...size })),
    )
    return { size, boxes }
  }
}

/** Where something begins and ends along a side. */
type Stretch = readonly [from: number, to: number]

/** Equal stretches of one side, whose starts are given. */
interface Parted {
  readonly starts: readonly number[]
  readonly length: number
}

/** One side of a picture, and where along it one may cut. */
class Side {
  readonly #length: number
  /** Where the next stretch begins at the latest, by where this one ends at the latest; px. */
  readonly #next: Int32Array

  constructor(length: number, words: readonly Stretch[], shared: { readonly least: number; readonly most: number }) {
    this.#length = length
    // Where the first of the words begins that a cut here would go through.
    const first = Int32Array.from({ length: length + 1 }, (_, end) => end)
    for (const [from, to] of words) {
      for (let end = Math.max(0, from + 1); end < Math.min(length, to); end++)
        if (from < (first[end] as number)) first[end] = from
    }
    this.#next = new Int32Array(length + 1)
    let latest = 0
    for (let end = 0; end <= length; end++) {
      const start = Math.max(end - shared.most, Math.min(first[end] as number, end - shared.least))
      latest = Math.max(latest, start)
      this.#next[end] = latest
    }
  }

  /** The shortest stretches of one length, `count` of them, that cover the side. */
  parted(count: number): Parted {
    let long = this.#length
    let short = Math.ceil(this.#length / count) - 1
    // A longer stretch reaches at least as far, so the shortest that does is found by halving.
    while (long - short > 1) {
      const middle = (short + long) >> 1
      if (this.#reach(count, middle) >= this.#length) long = middle
      else short = middle
    }
    return { starts: this.#starts(count, long), length: long }
  }

  #reach(count: number, length: number): number {
    return (this.#starts(count, length).at(-1) as number) + length
  }

  /** The last one ends where the side does, if it comes that far. */
  #starts(count: number, length: number): number[] {
    const starts = [0]
    while (starts.length < count) {
      const end = Math.min(this.#length, (starts.at(-1) as number) + length)
      starts.push(Math.min(this.#next[end] as number, this.#length - length))
    }
    return starts
  }
}
