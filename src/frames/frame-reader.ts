import { isUtf8 } from 'node:buffer'
import {
  FIN,
  FrameError,
  LENGTH_16,
  LENGTH_64,
  LONGEST_CONTROL,
  MASKED,
  OPCODE,
  RESERVED,
  unmaskInPlace,
} from './frame.ts'
import { GrowingBuffer } from './growing-buffer.ts'
import type { Message } from './peer.ts'

/** What came: a whole message, or a control frame. */
export type Received =
  | { readonly kind: 'text'; readonly text: Buffer; readonly frame: Buffer | null }
  | { readonly kind: 'binary' | 'ping' | 'pong' | 'close'; readonly payload: Buffer }

export interface ReaderBounds {
  /** Longest message, bytes. */
  maxMessage: number
  /** Frames that one message may come in. */
  maxFragments: number
}

/**
 * Walks the frames of one direction of a connection (RFC 6455, section 5). A frame that lies whole in a piece of input is
 * handed out where it lies; only one that spans two pieces is put together.
 */
export class FrameReader {
  readonly #bounds: ReaderBounds
  /** Frames of a client are masked, those of a server are not. */
  readonly #expectsMask: boolean
  #chunk: Buffer = EMPTY
  #at = 0
  /** The beginning of a frame whose end has not come yet. */
  readonly #begun = new GrowingBuffer()
  /** Nobody keeps what is handed out: a frame that was put together is valid only until the next one. */
  lends = false
  /** Frames of a message whose last has not come yet; null between messages. */
  #pieces: GrowingBuffer | null = null
  #pieceCount = 0
  #piecesAreText = false

  constructor(from: 'client' | 'server', bounds: ReaderBounds) {
    this.#expectsMask = from === 'client'
    this.#bounds = bounds
  }

  /** True when everything that came has been handed out, or waits for more input. */
  get isEmpty(): boolean {
    return this.#at >= this.#chunk.length
  }

  /** The next piece of input; only once the one before it is empty. The reader takes masks off in place. */
  push(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The next message or control frame; null when more input is needed. Throws FrameError. */
  next(): Received | null {
    for (;;) {
      const frame = this.#begun.length > 0 ? this.#finishFrame() : this.#takeFrame()
      if (frame === null) {
        // What has been handed out must not lie here until more comes: a session that is still keeps nothing.
        this.push(EMPTY)
        return null
      }
      const received = this.#read(frame)
      if (received !== null) return received
    }
  }

  /** A frame that lies whole in the chunk; what is left of a chunk without one is kept for the next. */
  #takeFrame(): Buffer | null {
    const chunk = this.#chunk
    const left = chunk.length - this.#at
    if (left === 0) return null
    const length = this.#frameLength(chunk, this.#at, chunk.length)
    if (length === null || length > left) {
      this.#begun.append(chunk.subarray(this.#at), length ?? LONGEST_HEADER)
      return null
    }
    const frame = length === chunk.length ? chunk : chunk.subarray(this.#at, this.#at + length)
    this.#at += length
    return frame
  }

  /** Adds to a frame that was begun just as much as it needs; its header first, which says how much that is. */
  #finishFrame(): Buffer | null {
    for (;;) {
      const begun = this.#begun.view
      const length = this.#frameLength(begun, 0, begun.length)
      // A frame without a payload is whole with its header.
      if (length === begun.length) return this.lends ? this.#begun.lend() : this.#begun.take()
      if (this.isEmpty) return null
      const wanted = (length ?? begun.length + 1) - begun.length
      const piece = this.#chunk.subarray(this.#at, this.#at + wanted)
      this.#begun.append(piece, length ?? LONGEST_HEADER)
      this.#at += piece.length
    }
  }

  /** Length of the frame at `at`, header included; null while its header has not come whole. Judges the header. */
  #frameLength(bytes: Buffer, at: number, end: number): number | null {
    if (end - at < 2) return null
    const first = bytes[at] as number
    const second = bytes[at + 1] as number
    this.#judge(first, second)
    const masked = this.#expectsMask ? 4 : 0
    const short = second & ~MASKED
    if (short < LENGTH_16) return 2 + masked + short
    if (short === LENGTH_16) return end - at < 4 ? null : 4 + masked + bytes.readUInt16BE(at + 2)
    if (end - at < 10) return null
    const high = bytes.readUInt32BE(at + 2)
    const payload = high * 2 ** 32 + bytes.readUInt32BE(at + 6)
    if (payload > this.#bounds.maxMessage) throw new FrameError(1009, 'message too big')
    return 10 + masked + payload
  }

  #judge(first: number, second: number): void {
    const opcode = first & 0x0f
    if ((first & RESERVED) !== 0) throw new FrameError(1002, 'a reserved bit is set')
    if (((second & MASKED) !== 0) !== this.#expectsMask) throw new FrameError(1002, 'a mask is wrong or missing')
    if (opcode >= OPCODE.close) {
      if (opcode > OPCODE.pong) throw new FrameError(1002, 'an unknown control frame')
      if ((first & FIN) === 0 || (second & ~MASKED) > LONGEST_CONTROL) {
        throw new FrameError(1002, 'a control frame is too long or in pieces')
      }
    } else if (opcode > OPCODE.binary) throw new FrameError(1002, 'an unknown frame')
    else if ((opcode === OPCODE.continuation) !== (this.#pieces !== null)) {
      throw new FrameError(1002, 'a piece of a message is out of place')
    }
  }

  #read(frame: Buffer): Received | null {
    const short = (frame[1] as number) & ~MASKED
    const start = 2 + (short < LENGTH_16 ? 0 : short < LENGTH_64 ? 2 : 8) + (this.#expectsMask ? 4 : 0)
    const payload = this.#expectsMask ? unmaskInPlace(frame, start) : frame.subarray(start)
    const first = frame[0] as number
    const opcode = first & 0x0f
    switch (opcode) {
      case OPCODE.ping:
        return { kind: 'ping', payload }
      case OPCODE.pong:
        return { kind: 'pong', payload }
      case OPCODE.close:
        return { kind: 'close', payload }
    }
    if (payload.length > this.#bounds.maxMessage) throw new FrameError(1009, 'message too big')
    const isLast = (first & FIN) !== 0
    if (isLast && opcode === OPCODE.text) return this.#text(payload, frame)
    if (isLast && opcode === OPCODE.binary) return { kind: 'binary', payload }
    return this.#piece(opcode, payload, isLast)
  }

  #piece(opcode: number, payload: Buffer, isLast: boolean): Received | null {
    if (this.#pieces === null) {
      this.#pieces = new GrowingBuffer()
      this.#pieceCount = 0
      this.#piecesAreText = opcode === OPCODE.text
    }
    this.#pieceCount++
    if (this.#pieceCount > this.#bounds.maxFragments) throw new FrameError(1008, 'a message in too many pieces')
    if (this.#pieces.length + payload.length > this.#bounds.maxMessage) throw new FrameError(1009, 'message too big')
    this.#pieces.append(payload)
    if (!isLast) return null
    const whole = this.#pieces.take()
    this.#pieces = null
    return this.#piecesAreText ? this.#text(whole, null) : { kind: 'binary', payload: whole }
  }

  /** A provider's text is passed on as it is: whoever shows it decides. A caller's must be what RFC 6455 says. */
  #text(text: Buffer, frame: Buffer | null): Received & Message {
    if (this.#expectsMask && !isUtf8(text)) throw new FrameError(1007, 'text that is not UTF-8')
    return { kind: 'text', text, frame }
  }
}

const EMPTY = Buffer.alloc(0)
const LONGEST_HEADER = 14
