import { liesAt } from './bytes.ts'

/** Where base64 audio lies in a frame, and how many raw bytes it stands for. Positions are byte offsets. */
export interface AudioSpan {
  start: number
  end: number
  /** `3 × length ÷ 4 − padding` (RFC 4648): known without decoding. */
  audioBytes: number
}

const QUOTE = 0x22
const EQUALS = 0x3d

/**
 * The forms in which clients write `input_audio_buffer.append`: compact (JSON.stringify) and spaced (Python's
 * json.dumps), with an `event_id` in front, between or behind.
 */
const HEADS = ['{"type":"input_audio_buffer.append","audio":"', '{"type": "input_audio_buffer.append", "audio": "'].map(
  (head) => Buffer.from(head, 'latin1'),
)
const WITH_ID =
  /^\{\s*(?:"event_id"\s*:\s*"[^"\\]{0,128}"\s*,\s*)?"type"\s*:\s*"input_audio_buffer\.append"\s*,\s*(?:"event_id"\s*:\s*"[^"\\]{0,128}"\s*,\s*)?"audio"\s*:\s*"/
const AUDIO_FIRST = /^\{\s*(?:"event_id"\s*:\s*"[^"\\]{0,128}"\s*,\s*)?"audio"\s*:\s*"/
const TAIL_WITH_ID = /^"\s*(?:,\s*"event_id"\s*:\s*"[^"\\]{0,128}"\s*)?\}\s*$/
const TAIL_WITH_TYPE =
  /^"\s*(?:,\s*"event_id"\s*:\s*"[^"\\]{0,128}"\s*)?,\s*"type"\s*:\s*"input_audio_buffer\.append"\s*(?:,\s*"event_id"\s*:\s*"[^"\\]{0,128}"\s*)?\}\s*$/
const LONGEST_HEAD = 300
const LONGEST_TAIL = 400

/**
 * The audio of a frame that is `input_audio_buffer.append` to every parser: exactly these fields, once each, the audio
 * free of escapes. Null for anything else, which must then be parsed.
 */
export function appendSpan(bytes: Buffer): AudioSpan | null {
  for (const head of HEADS) {
    if (liesAt(bytes, 0, head)) {
      const end = bytes.indexOf(QUOTE, head.length)
      if (end === bytes.length - 2 && bytes[end + 1] === 0x7d) return span(bytes, head.length, end)
      return end < 0 ? null : withTail(bytes, head.length, end, TAIL_WITH_ID)
    }
  }
  const opening = bytes.toString('latin1', 0, LONGEST_HEAD)
  const typeFirst = WITH_ID.exec(opening)
  const match = typeFirst ?? AUDIO_FIRST.exec(opening)
  if (match === null) return null
  const start = match[0].length
  const end = bytes.indexOf(QUOTE, start)
  if (end < 0) return null
  return withTail(bytes, start, end, typeFirst === null ? TAIL_WITH_TYPE : TAIL_WITH_ID)
}

function withTail(bytes: Buffer, start: number, end: number, tail: RegExp): AudioSpan | null {
  if (bytes.length - end > LONGEST_TAIL) return null
  return tail.test(bytes.toString('latin1', end, bytes.length)) ? span(bytes, start, end) : null
}

const DELTA_KEY = Buffer.from('"delta":"', 'latin1')
const SPACED_DELTA_KEY = Buffer.from('"delta": "', 'latin1')

/** Where the key lay last: a provider writes one frame like the other. */
let usual = 0

/** The audio of a provider's audio delta; null when the frame is written in a way that needs a parse. */
export function deltaSpan(bytes: Buffer): AudioSpan | null {
  let at = liesAt(bytes, usual, DELTA_KEY) ? usual : bytes.indexOf(DELTA_KEY)
  usual = Math.max(0, at)
  let start = at + DELTA_KEY.length
  if (at < 0) {
    at = bytes.indexOf(SPACED_DELTA_KEY)
    start = at + SPACED_DELTA_KEY.length
  }
  if (at < 0) return null
  const end = bytes.indexOf(QUOTE, start)
  return end < 0 ? null : span(bytes, start, end)
}

const ITEM_ID = /"item_id"\s*:\s*"([^"\\]*)"/

/** The `item_id` near the head of a provider's frame. */
export function itemIdOf(bytes: Buffer): string | null {
  return ITEM_ID.exec(bytes.toString('latin1', 0, LONGEST_TAIL))?.[1] ?? null
}

function span(bytes: Buffer, start: number, end: number): AudioSpan {
  let length = end - start
  if (length > 0 && bytes[end - 1] === EQUALS) length--
  if (length > 0 && bytes[end - 2] === EQUALS) length--
  return { start, end, audioBytes: Math.floor((length * 3) / 4) }
}
