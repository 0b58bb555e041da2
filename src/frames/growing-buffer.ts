/** Bytes that come in pieces of any size, end to end; memory stays within twice what has come, or 64 KiB. */
export class GrowingBuffer {
  #bytes: Buffer = EMPTY
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What has come so far; valid until the next call. */
  get view(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** `expected`: how many bytes there will be in the end, where that is known; never trusted beyond the bound above. */
  append(piece: Buffer, expected = Number.POSITIVE_INFINITY): void {
    const needed = this.#length + piece.length
    if (needed > this.#bytes.length) {
      const room = expected > AT_ONCE ? Math.max(needed, this.#length * 2) : Math.max(needed, expected)
      const larger = Buffer.allocUnsafeSlow(Math.max(SMALLEST, Math.min(room, Math.max(needed, expected))))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    piece.copy(this.#bytes, this.#length)
    this.#length = needed
  }

  /** What has come, valid until the next `append`, which starts afresh in the same memory. */
  lend(): Buffer {
    const all = this.view
    this.#length = 0
    return all
  }

  /** Gives everything away and starts afresh. */
  take(): Buffer {
    const all = this.view
    this.#bytes = EMPTY
    this.#length = 0
    return all
  }
}

const EMPTY = Buffer.alloc(0)
const SMALLEST = 512
const AT_ONCE = 64 * 1_024
