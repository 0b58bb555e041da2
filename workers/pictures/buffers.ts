/**
 * The pixels of one picture while it is worked on. They lie outside of the heap, whose collector sees nothing but small things
 * there: it would leave them about, and then run for their sake (17 full collections in 80 pictures, 3 this way). So they are
 * given back by hand.
 */
export class Buffers implements Disposable {
  readonly #held: Uint8Array[] = []

  keep<T extends Uint8Array>(data: T): T {
    this.#held.push(data)
    return data
  }

  /** Nothing may be read from any of them after this: they are empty. */
  [Symbol.dispose](): void {
    for (const { buffer, byteLength } of this.#held) {
      // A small one may be a part of something else.
      if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
    }
  }
}
