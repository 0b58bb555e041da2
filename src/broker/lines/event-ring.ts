import type { Message } from '../../frames/peer.ts'
import { type Bytes, between, type Instant, type Ms } from '../../units.ts'

/** What a caller who comes back must still be given, or how much of it is gone. */
export interface Replay {
  /** Frames that are no longer kept: `from` to `to`, both counted; null when nothing is missing. */
  gap: { from: number; to: number } | null
  frames: readonly Message[]
}

/**
 * The counted frames a caller has not acknowledged, newest last. Bounded by bytes and age: the oldest give way, so memory
 * stays bounded whatever the caller does, and a gap is reported instead.
 */
export class EventRing {
  readonly #most: () => Bytes
  readonly #longest: Ms
  /** Oldest first; the last is written to. Only the first may have nothing left in it, and only while it is the last. */
  #pages: Page[] = []
  /** Frames kept, and bytes of their text. */
  #count = 0
  #size = 0
  /** Number of the newest frame, 0 before the first. */
  #seq: number

  /** `most`: asked at every push, since what one session may keep depends on how many there are. */
  constructor(most: () => Bytes, longest: Ms, seq = 0) {
    this.#most = most
    this.#longest = longest
    this.#seq = seq
  }

  get seq(): number {
    return this.#seq
  }

  /** Bytes kept now. */
  get size(): number {
    return this.#size
  }

  push(message: Message, now: Instant): void {
    this.#seq++
    this.#count++
    this.#size += message.text.length
    this.#pageFor((message.frame ?? message.text).length).add(message, now)
    const most = this.#most()
    while (this.#count > 0) {
      const oldest = (this.#pages[0] as Page).oldestAt
      if (this.#size <= most && between(oldest, now) <= this.#longest) break
      this.#dropOldest()
    }
  }

  /** True when one more frame of this size would push an unacknowledged one out. */
  isFullFor(length: number): boolean {
    return this.#size + length > this.#most()
  }

  /** Forgets every frame up to and including number `seq`. */
  acknowledge(seq: number): void {
    while (this.#count > 0 && this.#seq - this.#count < seq) this.#dropOldest()
  }

  /** All frames after number `seen`; null when the caller claims to have seen what was never sent. */
  since(seen: number): Replay | null {
    if (!Number.isSafeInteger(seen) || seen < 0 || seen > this.#seq) return null
    const firstKept = this.#seq - this.#count + 1
    const frames = this.#pages.flatMap((page) => page.messages()).slice(Math.max(0, seen + 1 - firstKept))
    const gap = seen + 1 < firstKept ? { from: seen + 1, to: firstKept - 1 } : null
    return { gap, frames }
  }

  #pageFor(length: number): Page {
    const last = this.#pages.at(-1)
    if (last?.hasRoomFor(length) === true) return last
    if (last?.isSpent === true) this.#pages.pop()
    const page = new Page(Math.max(length, Math.min(LARGEST_PAGE, last === undefined ? SMALLEST_PAGE : last.room * 2)))
    this.#pages.push(page)
    return page
  }

  #dropOldest(): void {
    const page = this.#pages[0] as Page
    this.#size -= page.drop()
    this.#count--
    if (page.isSpent && this.#pages.length > 1) this.#pages.shift()
  }
}

/** Of a page, bytes: the first one of a session that says little, and those of one that talks. */
const SMALLEST_PAGE = 4 * 1_024
const LARGEST_PAGE = 64 * 1_024

/**
 * Frames end to end in one piece of memory. Kept one by one, each would keep the whole read that it came in, and be moved
 * by the collector twice before it is dropped. What has been written is never written over: it may be on its way out.
 */
class Page {
  readonly #bytes: Buffer
  #used = 0
  /** Of each frame: where it begins, where its text begins, and when it came. It ends where the next one begins. */
  readonly #starts: number[] = []
  readonly #texts: number[] = []
  readonly #times: Instant[] = []
  #head = 0

  constructor(room: number) {
    this.#bytes = Buffer.allocUnsafeSlow(room)
  }

  get room(): number {
    return this.#bytes.length
  }

  get isSpent(): boolean {
    return this.#head === this.#starts.length
  }

  get oldestAt(): Instant {
    return this.#times[this.#head] as Instant
  }

  hasRoomFor(length: number): boolean {
    return this.#used + length <= this.#bytes.length
  }

  add({ text, frame }: Message, now: Instant): void {
    const whole = frame ?? text
    this.#starts.push(this.#used)
    this.#texts.push(this.#used + whole.length - text.length)
    this.#times.push(now)
    whole.copy(this.#bytes, this.#used)
    this.#used += whole.length
  }

  /** Forgets the oldest frame; answers with the bytes of its text. */
  drop(): number {
    const i = this.#head++
    return this.#end(i) - (this.#texts[i] as number)
  }

  messages(): Message[] {
    return this.#starts.slice(this.#head).map((start, k) => {
      const i = this.#head + k
      const end = this.#end(i)
      const at = this.#texts[i] as number
      return {
        text: this.#bytes.subarray(at, end),
        frame: at === start ? null : this.#bytes.subarray(start, end),
      }
    })
  }

  #end(i: number): number {
    return this.#starts[i + 1] ?? this.#used
  }
}
