import type { Grey } from './grey.ts'
import { Labels, Runs } from './labels.ts'
import { DARK, LIGHT, type Spots } from './spots.ts'

/** Half the window whose mean a pixel is compared with, px: wider than a stroke, narrower than a shadow. */
const REACH = 15
/** How far from that mean ink is, of 255: above the noise of scans and of JPEG, below faint print. */
const CONTRAST = 14

/**
 * Spots darker or lighter than their surroundings, in both polarities at once, by runs along rows that touch each other (also
 * at corners). Null where there are so many that the picture is a texture.
 */
export function findSpots(grey: Grey): Spots | null {
  const labels = new Labels()
  const window = new Window(grey)
  let above = new Runs(grey.width)
  let here = new Runs(grey.width)
  for (let y = 0; y < grey.height; y++) {
    window.read(y, here)
    if (!labels.join(above, here, y)) return null
    ;[above, here] = [here, above]
  }
  return labels.spots()
}

/**
 * A square window that slides along the rows; its mean is what a pixel in its middle is compared with. All its numbers are
 * whole and below 2^31, and said to be, which takes a fifth of the time off.
 */
class Window {
  readonly #grey: Grey
  /** Brightness of each column within the window's rows, after REACH + 1 zeros and before REACH more: no edges to ask for. */
  readonly #columns: Int32Array
  /** The columns of the picture among them. */
  readonly #within: Int32Array
  /** Columns of the window around each pixel of a row: fewer at the edges. */
  readonly #across: Uint8Array
  #first = 0
  #last = -1

  constructor(grey: Grey) {
    const { width } = grey
    this.#grey = grey
    this.#columns = new Int32Array(width + 2 * REACH + 1)
    this.#within = this.#columns.subarray(REACH + 1)
    this.#across = new Uint8Array(width)
    for (let x = 0; x < width; x++) this.#across[x] = Math.min(width - 1, x + REACH) - Math.max(0, x - REACH) + 1
  }

  /** Finds the ink of one row. */
  read(y: number, runs: Runs): void {
    this.#slideTo(y)
    const { data, width } = this.#grey
    const columns = this.#columns
    const across = this.#across
    const { start, end, kind: kinds } = runs
    const rows = this.#last - this.#first + 1
    let sum = 0
    for (let i = 1; i <= 2 * REACH; i++) sum = (sum + (columns[i] as number)) | 0
    let kind = 0
    let count = 0
    for (let x = 0, at = y * width; x < width; x++, at++) {
      sum = (sum + (columns[x + 2 * REACH + 1] as number) - (columns[x] as number)) | 0
      // The difference from the mean, times the window's area: no division for each pixel.
      const area = Math.imul(across[x] as number, rows)
      const difference = (Math.imul(data[at] as number, area) - sum) | 0
      const limit = Math.imul(CONTRAST, area)
      const next = difference < -limit ? DARK : difference > limit ? LIGHT : 0
      if (next === kind) continue
      if (kind !== 0) end[count - 1] = x - 1
      if (next !== 0) {
        start[count] = x
        kinds[count] = next
        count++
      }
      kind = next
    }
    if (kind !== 0) end[count - 1] = width - 1
    runs.count = count
  }

  /** Takes the rows in that are within reach of row `y`, and lets go of those that are not. */
  #slideTo(y: number): void {
    const { height } = this.#grey
    const last = Math.min(height - 1, y + REACH)
    const first = Math.max(0, y - REACH)
    for (; this.#last < last || this.#first < first; ) {
      const comes = this.#last < last ? ++this.#last : null
      const goes = this.#first < first ? this.#first++ : null
      this.#change(comes, goes)
    }
  }

  #change(comes: number | null, goes: number | null): void {
    const { data, width } = this.#grey
    const columns = this.#within
    const added = (comes ?? 0) * width
    const taken = (goes ?? 0) * width
    if (comes !== null && goes !== null) {
      for (let x = 0; x < width; x++)
        columns[x] = (columns[x] as number) + (data[added + x] as number) - (data[taken + x] as number)
    } else if (comes !== null) {
      for (let x = 0; x < width; x++) columns[x] = (columns[x] as number) + (data[added + x] as number)
    } else {
      for (let x = 0; x < width; x++) columns[x] = (columns[x] as number) - (data[taken + x] as number)
    }
  }
}
