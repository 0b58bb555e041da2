import type { Grey } from './grey.ts'

/** A part of a picture, px, all four included. */
export interface Bounds {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** One connected spot that stands out from its surroundings. */
export interface Spot extends Bounds {
  /** Pixels in it. */
  readonly area: number
  readonly isDark: boolean
}

/** Half the window whose mean a pixel is compared with, px: wider than a stroke, narrower than a shadow. */
const REACH = 15
/** How far from that mean ink is, of 255: above the noise of scans and of JPEG, below faint print. */
const CONTRAST = 14
/** Spots beyond this are texture: nothing with so many is read, and memory stays bounded. */
const MOST_SPOTS = 200_000

const DARK = 1
const LIGHT = 2

/**
 * Spots darker or lighter than their surroundings, in both polarities at once, by runs along rows that touch each other (also
 * at corners). Null where there are so many that the picture is a texture.
 */
export function findSpots(grey: Grey): Spot[] | null {
  const spots = new Labels()
  const window = new Window(grey)
  let above = new Runs(grey.width)
  let here = new Runs(grey.width)
  for (let y = 0; y < grey.height; y++) {
    window.read(y, here)
    if (!spots.join(above, here, y)) return null
    ;[above, here] = [here, above]
  }
  return spots.all()
}

/** A square window that slides along the rows; its mean is what a pixel in its middle is compared with. */
class Window {
  readonly #grey: Grey
  /** Brightness of each column within the window's rows, after REACH + 1 zeros and before REACH more: no edges to ask for. */
  readonly #columns: Uint32Array
  /** Columns of the window around each pixel of a row: fewer at the edges. */
  readonly #across: Uint8Array
  #first = 0
  #last = -1

  constructor(grey: Grey) {
    const { width } = grey
    this.#grey = grey
    this.#columns = new Uint32Array(width + 2 * REACH + 1)
    this.#across = Uint8Array.from(
      { length: width },
      (_, x) => Math.min(width - 1, x + REACH) - Math.max(0, x - REACH) + 1,
    )
  }

  /** Finds the ink of one row. */
  read(y: number, runs: Runs): void {
    this.#slideTo(y)
    const { data, width } = this.#grey
    const columns = this.#columns
    const rows = this.#last - this.#first + 1
    let sum = 0
    for (let i = 1; i <= 2 * REACH; i++) sum += columns[i] as number
    let kind = 0
    let count = 0
    for (let x = 0, at = y * width; x < width; x++, at++) {
      sum += (columns[x + 2 * REACH + 1] as number) - (columns[x] as number)
      // The difference from the mean, times the window's area: no division for each pixel.
      const area = (this.#across[x] as number) * rows
      const difference = (data[at] as number) * area - sum
      const limit = CONTRAST * area
      const next = difference < -limit ? DARK : difference > limit ? LIGHT : 0
      if (next === kind) continue
      if (kind !== 0) runs.end[count - 1] = x - 1
      if (next !== 0) {
        runs.start[count] = x
        runs.kind[count] = next
        count++
      }
      kind = next
    }
    if (kind !== 0) runs.end[count - 1] = width - 1
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
    const columns = this.#columns.subarray(REACH + 1)
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

/** The stretches of ink in one row. */
class Runs {
  readonly start: Int32Array
  readonly end: Int32Array
  readonly kind: Uint8Array
  readonly label: Int32Array
  count = 0

  constructor(width: number) {
    this.start = new Int32Array(width)
    this.end = new Int32Array(width)
    this.kind = new Uint8Array(width)
    this.label = new Int32Array(width)
  }
}

/** Spots of which neither side is so long are specks, and no letters, px. */
const LEAST_SIDE = 3
/** Spots there is room for at first. */
const FIRST_ROOM = 4_096

/** Bounds of spots while rows come in; labels that turn out to be one spot are joined. */
class Labels {
  #count = 0
  #parent = new Int32Array(FIRST_ROOM)
  #left = new Int32Array(FIRST_ROOM)
  #top = new Int32Array(FIRST_ROOM)
  #right = new Int32Array(FIRST_ROOM)
  #bottom = new Int32Array(FIRST_ROOM)
  #area = new Int32Array(FIRST_ROOM)
  #kind = new Int32Array(FIRST_ROOM)

  /** Takes one row in, below another; false when there are too many spots. */
  join(above: Runs, here: Runs, y: number): boolean {
    let first = 0
    for (let i = 0; i < here.count; i++) {
      const start = here.start[i] as number
      const end = here.end[i] as number
      const kind = here.kind[i] as number
      let label = -1
      while (first < above.count && (above.end[first] as number) < start - 1) first++
      for (let j = first; j < above.count && (above.start[j] as number) <= end + 1; j++) {
        if (above.kind[j] !== kind) continue
        const other = this.#root(above.label[j] as number)
        if (label === -1) label = other
        // The older one stays.
        else if (label < other) this.#merge(label, other)
        else if (label > other) {
          this.#merge(other, label)
          label = other
        }
      }
      if (label === -1) label = this.#create(start, y, kind)
      if (label === -1) return false
      here.label[i] = label
      if (start < (this.#left[label] as number)) this.#left[label] = start
      if (end > (this.#right[label] as number)) this.#right[label] = end
      this.#bottom[label] = y
      this.#area[label] = (this.#area[label] as number) + end - start + 1
    }
    return true
  }

  all(): Spot[] {
    const spots: Spot[] = []
    for (let i = 0; i < this.#count; i++) {
      if (this.#parent[i] !== i) continue
      const left = this.#left[i] as number
      const top = this.#top[i] as number
      const right = this.#right[i] as number
      const bottom = this.#bottom[i] as number
      if (right - left + 1 < LEAST_SIDE && bottom - top + 1 < LEAST_SIDE) continue
      spots.push({ left, top, right, bottom, area: this.#area[i] as number, isDark: this.#kind[i] === DARK })
    }
    return spots
  }

  #create(x: number, y: number, kind: number): number {
    const label = this.#count
    if (label >= MOST_SPOTS) return -1
    if (label === this.#parent.length) this.#grow()
    this.#count++
    this.#parent[label] = label
    this.#left[label] = x
    this.#top[label] = y
    this.#right[label] = x
    this.#bottom[label] = y
    this.#area[label] = 0
    this.#kind[label] = kind
    return label
  }

  #grow(): void {
    const larger = (held: Int32Array<ArrayBuffer>) => {
      const room = new Int32Array(held.length * 2)
      room.set(held)
      return room
    }
    this.#parent = larger(this.#parent)
    this.#left = larger(this.#left)
    this.#top = larger(this.#top)
    this.#right = larger(this.#right)
    this.#bottom = larger(this.#bottom)
    this.#area = larger(this.#area)
    this.#kind = larger(this.#kind)
  }

  #root(label: number): number {
    let root = label
    while (this.#parent[root] !== root) root = this.#parent[root] as number
    while (this.#parent[label] !== root) {
      const next = this.#parent[label] as number
      this.#parent[label] = root
      label = next
    }
    return root
  }

  #merge(keep: number, drop: number): void {
    this.#parent[drop] = keep
    this.#left[keep] = Math.min(this.#left[keep] as number, this.#left[drop] as number)
    this.#top[keep] = Math.min(this.#top[keep] as number, this.#top[drop] as number)
    this.#right[keep] = Math.max(this.#right[keep] as number, this.#right[drop] as number)
    this.#bottom[keep] = Math.max(this.#bottom[keep] as number, this.#bottom[drop] as number)
    this.#area[keep] = (this.#area[keep] as number) + (this.#area[drop] as number)
  }
}
