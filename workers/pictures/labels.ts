import { heightAt, type Spots, widthAt } from './spots.ts'

/** The stretches of ink in one row. */
export class Runs {
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

/** Spots beyond this are texture: nothing with so many is read, and memory stays bounded. */
const MOST_SPOTS = 200_000
/** Spots of which neither side is so long are specks, and no letters, px. */
const LEAST_SIDE = 3
/** Spots there is room for at first. */
const FIRST_ROOM = 4_096

/** Bounds of spots while rows come in; labels that turn out to be one spot are joined. */
export class Labels {
  #count = 0
  #parent = new Int32Array(FIRST_ROOM)
  #left = new Int32Array(FIRST_ROOM)
  #top = new Int32Array(FIRST_ROOM)
  #right = new Int32Array(FIRST_ROOM)
  #bottom = new Int32Array(FIRST_ROOM)
  #area = new Int32Array(FIRST_ROOM)
  #kind = new Uint8Array(FIRST_ROOM)

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

  /** What has become of all rows, specks aside. Nothing may be joined any more: its room is theirs. */
  spots(): Spots {
    const found = {
      count: 0,
      left: this.#left,
      top: this.#top,
      right: this.#right,
      bottom: this.#bottom,
      area: this.#area,
      kind: this.#kind,
    }
    for (let i = 0; i < this.#count; i++) {
      if (this.#parent[i] !== i) continue
      if (widthAt(found, i) < LEAST_SIDE && heightAt(found, i) < LEAST_SIDE) continue
      const to = found.count++
      found.left[to] = found.left[i] as number
      found.top[to] = found.top[i] as number
      found.right[to] = found.right[i] as number
      found.bottom[to] = found.bottom[i] as number
      found.area[to] = found.area[i] as number
      found.kind[to] = found.kind[i] as number
    }
    return found
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
    const room = this.#parent.length * 2
    const larger = (held: Int32Array) => {
      const more = new Int32Array(room)
      more.set(held)
      return more
    }
    this.#parent = larger(this.#parent)
    this.#left = larger(this.#left)
    this.#top = larger(this.#top)
    this.#right = larger(this.#right)
    this.#bottom = larger(this.#bottom)
    this.#area = larger(this.#area)
    const kind = new Uint8Array(room)
    kind.set(this.#kind)
    this.#kind = kind
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
