import { FaultError } from '../faults.ts'
import type { Bytes, Ms } from '../units.ts'
import type { Stages } from './stages.ts'

/** What a guarded request holds until its response has been read or disposed of. */
export interface Exchange {
  readonly url: URL
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly chunks: AsyncIterable<Uint8Array>
  readonly stages: Stages
  readonly idle: Ms
  readonly maxBytes: Bytes
  /** Ends the connection and gives its place at the host to the next request. */
  close(): Promise<void>
}

/**
 * The answer to one outbound request. Its connection is held until the body has been read to its end or the response is
 * disposed of; a response that nobody touches is cut by the limit on the whole request.
 */
export class OutboundResponse implements AsyncDisposable {
  /** Of the last hop, after redirects. */
  readonly url: URL
  readonly status: number
  /** By lower-case name; values of a repeated header joined by commas. */
  readonly headers: Readonly<Record<string, string>>
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.url = exchange.url
    this.status = exchange.status
    this.headers = exchange.headers
    this.#exchange = exchange
  }

  /**
   * The body, once, as it comes. Throws `fetch_too_large` before a byte past the cap is handed out, and at once where the
   * server announces as much; `fetch_failed` when it stops coming, comes compressed or ends early.
   */
  async *body(): AsyncGenerator<Uint8Array, void, void> {
    const { maxBytes } = this.#exchange
    try {
      this.#refuseCompressed()
      if (Number(this.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
      let seen = 0
      for await (const chunk of this.#chunks()) {
        seen += chunk.byteLength
        if (seen > maxBytes) throw tooLarge(maxBytes)
        yield chunk
      }
    } finally {
      await this[Symbol.asyncDispose]()
    }
  }

  /** The first bytes of the body, at most `most`; the rest is dropped unread, however long it is. */
  async head(most: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    let seen = 0
    try {
      for await (const chunk of this.#chunks()) {
        parts.push(chunk)
        seen += chunk.byteLength
        if (seen >= most) break
      }
    } finally {
      await this[Symbol.asyncDispose]()
    }
    return Buffer.concat(parts).subarray(0, most)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#exchange.stages[Symbol.dispose]()
    await this.#exchange.close()
  }

  /** Only waiting for the network is timed: whoever reads may take as long as the whole request may last. */
  async *#chunks(): AsyncGenerator<Uint8Array, void, void> {
    const { chunks, stages, idle, url } = this.#exchange
    const iterator = chunks[Symbol.asyncIterator]()
    try {
      for (;;) {
        stages.enter('the body stopped coming', idle)
        const next = await stages.race(iterator.next())
        stages.rest()
        if (next.done === true) return
        yield next.value
      }
    } catch (cause) {
      stages.signal.throwIfAborted()
      throw new FaultError('fetch_failed', `the answer of ${url.hostname} was cut short`, { cause })
    }
  }

  /** We ask for none, and a small compressed body can hide one of any size. */
  #refuseCompressed(): void {
    const coding = this.headers['content-encoding'] ?? 'identity'
    if (coding.toLowerCase() === 'identity' || coding === '') return
    throw new FaultError('fetch_failed', `${this.url.hostname} sent a compressed answer that was not asked for`)
  }
}

function tooLarge(cap: Bytes): FaultError {
  return new FaultError('fetch_too_large', `the answer is larger than the ${cap} bytes allowed`)
}
