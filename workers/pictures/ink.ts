import type { Grey } from './grey.ts'

/** One connected spot that stands out from its surroundings; bounds in px, both included. */
export interface Spot {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
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
  readonly #columns: Uint32Array
  #first = 0
  #last = -1

  constructor(grey: Grey) {
    this.#grey = grey
    this.#columns = new Uint32Array(grey.width)
  }

  /** Finds the ink of one row. */
  read(y: number, runs: Runs): void {
    const { data, width, height } = this.#grey
    const columns = this.#columns
    while (this.#last < Math.min(height - 1, y + REACH)) this.#add(++this.#last, 1)
    while (this.#first < y - REACH) this.#add(this.#first++, -1)
    const rows = this.#last - this.#first + 1
    let sum = 0
    let across = Math.min(width, REACH)
    for (let x = 0; x < across; x++) sum += columns[x] as number
    let kind = 0
    let count = 0
    const row = y * width
    for (let x = 0; x < width; x++) {
      if (x + REACH < width) {
        sum += columns[x + REACH] as number
        across++
      }
      if (x > REACH) {
        sum -= columns[x - REACH - 1] as number
        across--
      }
      // The difference from the mean, times the window's area: no division for each pixel.
      const area = across * rows
      const difference = (data[row + x] as number) * area - sum
      const next = difference < -CONTRAST * area ? DARK : difference > CONTRAST * area ? LIGHT : 0
      if (next !== kind) {
        if (kind !== 0) runs.end[count - 1] = x - 1
        if (next !== 0) {
          runs.start[count] = x
          runs.kind[count] = next
          count++
        }
        kind = next
      }
    }
    if (kind !== 0) runs.end[count - 1] = width - 1
    runs.count = count
  }

  #add(y: number, sign: 1 | -1): void {
    const { data, width } = this.#grey
    const columns = this.#columns
    for (let x = 0, at = y * width; x < width; x++, at++)
      columns[x] = (columns[x] as number) + sign * (data[at] as number)
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

/** Bounds of spots while rows come in; labels that turn out to be one spot are joined. */
class Labels {
  readonly #parent: number[] = []
  readonly #left: number[] = []
  readonly #top: number[] = []
  readonly #right: number[] = []
  readonly #bottom: number[] = []
  readonly #area: number[] = []
  readonly #kind: number[] = []

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
        else if (label !== other) label = this.#merge(label, other)
      }
      if (label === -1) label = this.#create(start, y, kind)
      if (label === -1) return false
      here.label[i] = label
      this.#left[label] = Math.min(this.#left[label] as number, start)
      this.#right[label] = Math.max(this.#right[label] as number, end)
      this.#bottom[label] = y
      this.#area[label] = (this.#area[label] as number) + end - start + 1
    }
    return true
  }

  all(): Spot[] {
    const spots: Spot[] = []
    for (let i = 0; i < this.#parent.length; i++) {
      if (this.#parent[i] !== i) continue
      spots.push({
        left: this.#left[i] as number,
        top: this.#top[i] as number,
        right: this.#right[i] as number,
        bottom: this.#bottom[i] as number,
        area: this.#area[i] as number,
        isDark: this.#kind[i] === DARK,
      })
    }
    return spots
  }

  #create(x: number, y: number, kind: number): number {
    const label = this.#parent.length
    if (label >= MOST_SPOTS) return -1
    this.#parent.push(label)
    this.#left.push(x)
    this.#top.push(y)
    this.#right.push(x)
    this.#bottom.push(y)
    this.#area.push(0)
    this.#kind.push(kind)
    return label
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

  /** The older label stays. */
  #merge(a: number, b: number): number {
    const [keep, drop] = a < b ? [a, b] : [b, a]
    this.#parent[drop] = keep
    this.#left[keep] = Math.min(this.#left[keep] as number, this.#left[drop] as number)
    this.#top[keep] = Math.min(this.#top[keep] as number, this.#top[drop] as number)
    this.#right[keep] = Math.max(this.#right[keep] as number, this.#right[drop] as number)
    this.#bottom[keep] = Math.max(this.#bottom[keep] as number, this.#bottom[drop] as number)
    this.#area[keep] = (this.#area[keep] as number) + (this.#area[drop] as number)
    return keep
  }
}
