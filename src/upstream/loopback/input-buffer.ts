/** Audio a caller may have waiting at most: the provider's own bound on one append is 15 MiB. */
const MOST_BYTES = 16 * 1_024 * 1_024

/** The input audio buffer: what was appended and neither committed nor cleared, on the session's audio time line. */
export class InputBuffer {
  #chunks: Buffer[] = []
  #length = 0
  /** Bytes that have left the buffer before its first byte. */
  #gone = 0

  /** Bytes appended in the session's life. */
  get end(): number {
    return this.#gone + this.#length
  }

  get length(): number {
    return this.#length
  }

  /** False when the buffer would outgrow its bound. */
  append(bytes: Buffer): boolean {
    if (this.#length + bytes.length > MOST_BYTES) return false
    this.#chunks.push(bytes)
    this.#length += bytes.length
    return true
  }

  clear(): void {
    this.#gone += this.#length
    this.#chunks = []
    this.#length = 0
  }

  /** Takes everything. */
  takeAll(): Buffer {
    const all = Buffer.concat(this.#chunks)
    this.clear()
    return all
  }

  /** Takes bytes `from` to `to` of the session's time line; what lies before them is silence, and dropped. */
  take(from: number, to: number): Buffer {
    const all = Buffer.concat(this.#chunks)
    const start = Math.max(0, Math.min(all.length, from - this.#gone))
    const end = Math.max(start, Math.min(all.length, to - this.#gone))
    const rest = all.subarray(end)
    this.#gone += end
    this.#chunks = rest.length > 0 ? [rest] : []
    this.#length = rest.length
    return all.subarray(start, end)
  }

  /** Drops what lies more than `keep` bytes behind the end: nobody spoke there. */
  forget(keep: number): void {
    while (this.#chunks[0] !== undefined && this.#length - this.#chunks[0].length >= keep) {
      const dropped = this.#chunks.shift()
      this.#gone += dropped?.length ?? 0
      this.#length -= dropped?.length ?? 0
    }
  }
}
