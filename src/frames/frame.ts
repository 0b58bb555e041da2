import { isUtf8 } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import bufferutil from 'bufferutil'

/** Frames of RFC 6455, section 5.2: how their bytes lie. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export const FIN = 0x80
export const RESERVED = 0x70
export const MASKED = 0x80
/** Lengths in the second byte that say: the real length follows in 2 or in 8 bytes. */
export const LENGTH_16 = 126
export const LENGTH_64 = 127
/** Longest payload of a control frame, bytes (RFC 6455, 5.5). */
export const LONGEST_CONTROL = 125
const MASK_BYTES = 4

/** The other side broke RFC 6455, or a bound of ours; `code` is what the connection is closed with. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
  readonly code: number
  constructor(code: number, reason: string) {
    super(reason)
    this.code = code
  }
}

/** A whole frame around a payload. `mask`: a client must mask what it sends, a server must not. */
export function makeFrame(opcode: number, payload: Buffer, mask: boolean): Buffer {
  const extended = payload.length < LENGTH_16 ? 0 : payload.length < 65_536 ? 2 : 8
  const start = 2 + extended + (mask ? MASK_BYTES : 0)
  const frame = Buffer.allocUnsafe(start + payload.length)
  frame[0] = FIN | opcode
  frame[1] = (mask ? MASKED : 0) | (extended === 0 ? payload.length : extended === 2 ? LENGTH_16 : LENGTH_64)
  if (extended === 2) frame.writeUInt16BE(payload.length, 2)
  else if (extended === 8) frame.writeBigUInt64BE(BigInt(payload.length), 2)
  payload.copy(frame, start)
  if (mask) maskInPlace(frame, frame.subarray(start))
  return frame
}

/** Payload of a close frame; empty for a code that may not be sent (RFC 6455, 7.4.1). */
export function closePayload(code: number, reason: string): Buffer {
  if (code === 1005 || code === 1006) return Buffer.alloc(0)
  const text = Buffer.from(reason, 'utf8').subarray(0, LONGEST_CONTROL - 2)
  const payload = Buffer.allocUnsafe(2 + text.length)
  payload.writeUInt16BE(code, 0)
  text.copy(payload, 2)
  return payload
}

/** Code and reason of a close frame that came. Throws FrameError. */
export function readClose(payload: Buffer): { code: number; reason: string } {
  if (payload.length === 0) return { code: 1005, reason: '' }
  if (payload.length === 1) throw new FrameError(1002, 'a close frame of one byte')
  const code = payload.readUInt16BE(0)
  const isKnown = (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || code >= 3000
  if (!isKnown || code > 4999) throw new FrameError(1002, 'a close code that may not be sent')
  const reason = payload.subarray(2)
  if (!isUtf8(reason)) throw new FrameError(1007, 'a close reason that is not UTF-8')
  return { code, reason: reason.toString('utf8') }
}

const key = Buffer.alloc(MASK_BYTES)

/** Takes the mask off a frame's payload, which starts at `start`, where it lies. */
export function unmaskInPlace(frame: Buffer, start: number): Buffer {
  const payload = frame.subarray(start)
  for (let i = 0; i < MASK_BYTES; i++) key[i] = frame[start - MASK_BYTES + i] as number
  bufferutil.unmask(payload, key)
  return payload
}

/** Random bytes for masks, made many at a time. */
const pool = Buffer.alloc(4_096)
let used = pool.length

/** Masks the payload at the end of a frame, where it lies, under a new key that nobody could foresee. */
export function maskInPlace(frame: Buffer, payload: Buffer): void {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const at = frame.length - payload.length - MASK_BYTES
  for (let i = 0; i < MASK_BYTES; i++) {
    const byte = pool[used++] as number
    key[i] = byte
    frame[at + i] = byte
  }
  bufferutil.unmask(payload, key)
}
