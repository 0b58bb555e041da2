import type { Message } from '../frames/peer.ts'
import { type Bytes, between, type Instant, type Ms } from '../units.ts'

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
  #frames: { message: Message; at: Instant }[] = []
  /** Index of the first frame still kept; the array is compacted now and then. */
  #head = 0
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
    this.#frames.push({ message, at: now })
    this.#size += message.text.length
    const most = this.#most()
    while (this.#head < this.#frames.length) {
      const oldest = this.#frames[this.#head]
      if (oldest === undefined) break
      if (this.#size <= most && between(oldest.at, now) <= this.#longest) break
      this.#dropOldest()
    }
  }

  /** True when one more frame of this size would push an unacknowledged one out. */
  isFullFor(length: number): boolean {
    return this.#size + length > this.#most()
  }

  /** Forgets every frame up to and including number `seq`. */
  acknowledge(seq: number): void {
    const firstKept = this.#seq - (this.#frames.length - this.#head) + 1
    for (let n = firstKept; n <= seq && this.#head < this.#frames.length; n++) this.#dropOldest()
  }

  /** All frames after number `seen`; null when the caller claims to have seen what was never sent. */
  since(seen: number): Replay | null {
    if (!Number.isSafeInteger(seen) || seen < 0 || seen > this.#seq) return null
    const kept = this.#frames.length - this.#head
    const firstKept = this.#seq - kept + 1
    const frames = this.#frames.slice(this.#head + Math.max(0, seen + 1 - firstKept)).map((f) => f.message)
    const gap = seen + 1 < firstKept ? { from: seen + 1, to: firstKept - 1 } : null
    return { gap, frames }
  }

  #dropOldest(): void {
    const oldest = this.#frames[this.#head]
    if (oldest === undefined) return
    this.#size -= oldest.message.text.length
    this.#head++
    if (this.#head > 64 && this.#head * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#head)
      this.#head = 0
    } else {
      // Lets the bytes go at once; the slot itself goes with the next compaction.
      this.#frames[this.#head - 1] = { message: GONE, at: oldest.at }
    }
  }
}

const GONE: Message = { text: Buffer.alloc(0), frame: null }
