import { randomBytes } from 'node:crypto'
import { textFrame } from './wire.ts'

/** Which frames are sent, by size: 200 B, 2.6 kB (40 ms of 24 kHz PCM16, as voice clients send it), 20 kB. */
export type FrameKind = 'small' | 'audio' | 'large'
/** From the caller to the provider, or back. */
export type Direction = 'up' | 'down'

/** Raw audio bytes in one frame of each kind. 40 ms of 24 kHz PCM16 are 1,920 bytes, 2,560 in base64. */
const AUDIO_BYTES: Readonly<Record<FrameKind, number>> = { small: 108, audio: 1_920, large: 14_850 }
/** Different frames of one kind, each with a mask of its own, sent in turn. */
const VARIANTS = 32
/** Bytes written at once when flooding, about. */
const BURST_BYTES = 64 * 1_024

const HEADS = {
  up: '{"type":"input_audio_buffer.append","audio":"',
  down: '{"type":"response.output_audio.delta","event_id":"event_DP4hCHDUkiEZtFZb0M3TQ","response_id":"resp_DP4hC2bench","item_id":"item_DP4hC3bench","output_index":0,"content_index":0,"delta":"',
} as const satisfies Record<Direction, string>
/** Small frames that a provider sends are pieces of a transcript. */
const TRANSCRIPT_PIECE =
  '{"type":"response.output_audio_transcript.delta","event_id":"event_DP4hCHDUkiEZtFZb0M3TQ","response_id":"resp_DP4hC2bench","item_id":"item_DP4hC3bench","output_index":0,"content_index":0,"delta":" hello"}'

function payload(kind: FrameKind, direction: Direction): Buffer {
  if (kind === 'small' && direction === 'down') return Buffer.from(TRANSCRIPT_PIECE)
  return Buffer.from(`${HEADS[direction]}${randomBytes(AUDIO_BYTES[kind]).toString('base64')}"}`)
}

/** Ready-made frames of one kind; a caller's are masked, each with random bytes, as RFC 6455 asks. */
export function framesOf(kind: FrameKind, direction: Direction): Buffer[] {
  return Array.from({ length: VARIANTS }, () => textFrame(payload(kind, direction), maskFor(direction)))
}

/** Many frames in one piece, for floods. `count`: how many. */
export function burstOf(kind: FrameKind, direction: Direction): { bytes: Buffer; count: number } {
  const frames = framesOf(kind, direction)
  const count = Math.max(1, Math.floor(BURST_BYTES / (frames[0]?.length ?? 1)))
  const bytes = Buffer.concat(Array.from({ length: count }, (_, i) => frames[i % VARIANTS] as Buffer))
  return { bytes, count }
}

/** Digits of a time stamp, µs. They stand where the audio begins, and are base64 to everybody else. */
const STAMP_DIGITS = 16

/** The frame that carries a time stamp: 2.6 kB of audio like any other. */
export function stamped(stamp: string, direction: Direction): Buffer {
  const template = STAMP_TEMPLATES[direction]
  const bytes = Buffer.from(template.bytes)
  const { mask, at } = template
  for (let i = 0; i < STAMP_DIGITS; i++) {
    const key = mask === null ? 0 : (mask[(HEADS[direction].length + i) & 3] as number)
    bytes[at + i] = stamp.charCodeAt(i) ^ key
  }
  return bytes
}

/** A time in µs as a stamp. */
export function stampOf(micros: number): string {
  return String(Math.round(micros)).padStart(STAMP_DIGITS, '0')
}

/** The stamp in the first bytes of a message that came from this direction. */
export function stampIn(head: Buffer, direction: Direction): string {
  return head.toString('latin1', HEADS[direction].length, HEADS[direction].length + STAMP_DIGITS)
}

/** Whether these are the first bytes of a message that carries audio. */
export function carriesAudio(head: Buffer, direction: Direction): boolean {
  return head.length > 40 && head.toString('latin1', 0, 30) === HEADS[direction].slice(0, 30)
}

const STAMP_TEMPLATES = { up: stampTemplate('up'), down: stampTemplate('down') }

function stampTemplate(direction: Direction): { bytes: Buffer; mask: Buffer | null; at: number } {
  const mask = maskFor(direction)
  const body = payload('audio', direction)
  const bytes = textFrame(body, mask)
  return { bytes, mask, at: bytes.length - body.length + HEADS[direction].length }
}

function maskFor(direction: Direction): Buffer | null {
  return direction === 'up' ? randomBytes(4) : null
}
