import { createHash } from 'node:crypto'
import { FaultError } from '../faults.ts'
import type { Written } from './storage.ts'

/** Bytes on their way into storage: counted, hashed and cut off at the most that may come. */
export class Measured {
  readonly #hash = createHash('sha256')
  readonly #most: number
  #bytes = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Passes the source on; throws `payload_too_large` before a byte too many is passed. */
  async *pass(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#bytes += chunk.length
      if (this.#bytes > this.#most) throw tooLarge(this.#most)
      this.#hash.update(chunk)
      yield chunk
    }
  }

  /** What has passed; to be asked once, at the end. */
  result(): Written {
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }
}

export function tooLarge(most: number): FaultError {
  return new FaultError('payload_too_large', `At most ${most} bytes are taken here.`)
}
