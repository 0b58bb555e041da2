import { liesAt } from './bytes.ts'

/**
 * Event types known by heart, so that sniffing one allocates nothing. Others are read from the frame just as well.
 * Source: OpenAI's realtime API, GA and beta names.
 */
const KNOWN = [
  'input_audio_buffer.append',
  'input_audio_buffer.committed',
  'input_audio_buffer.speech_started',
  'input_audio_buffer.speech_stopped',
  'response.output_audio.delta',
  'response.output_audio_transcript.delta',
  'response.output_text.delta',
  'response.audio.delta',
  'response.audio_transcript.delta',
  'response.function_call_arguments.delta',
  'conversation.item.input_audio_transcription.delta',
  'response.created',
  'response.done',
] as const

/** Known types by length and last-but-sixth byte, which tells all of them apart cheaply; verified byte by byte after. */
const BY_LENGTH = new Map<number, { name: string; bytes: Buffer }[]>()
for (const name of KNOWN) {
  const entry = { name, bytes: Buffer.from(name, 'latin1') }
  BY_LENGTH.set(name.length, [...(BY_LENGTH.get(name.length) ?? []), entry])
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COLON = 0x3a
const COMMA = 0x2c
const NEAR = 64

/**
 * The top-level `type` of a JSON object, by a look at its outline; null when there is no such string, or the bytes are no
 * JSON object. On any legal JSON the answer is that of a full parse: where the outline leaves a doubt (an escape in a key,
 * a second `type`), a full parse decides.
 *
 * `trusted` frames, the provider's own, are believed at the first `type` that leads the object; for a caller's frame the
 * whole outline is walked, since a second `type` further on would win in the provider's parser.
 */
export function sniffType(bytes: Buffer, trusted = true): string | null {
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== OPEN_BRACE) return null
  at = skipSpace(bytes, at + 1)
  let found: string | null = null
  for (;;) {
    if (bytes[at] !== QUOTE) return bytes[at] === CLOSE_BRACE ? found : parsedType(bytes)
    const keyEnd = quoteAfter(bytes, at)
    if (keyEnd < 0) return parsedType(bytes)
    const isType =
      keyEnd - at === 5 &&
      bytes[at + 1] === 0x74 &&
      bytes[at + 2] === 0x79 &&
      bytes[at + 3] === 0x70 &&
      bytes[at + 4] === 0x65
    if (!isType && hasBackslash(bytes, at + 1, keyEnd)) return parsedType(bytes)
    at = skipSpace(bytes, keyEnd + 1)
    if (bytes[at] !== COLON) return parsedType(bytes)
    at = skipSpace(bytes, at + 1)
    if (isType) {
      if (found !== null || bytes[at] !== QUOTE) return parsedType(bytes)
      const end = quoteAfter(bytes, at)
      if (end < 0 || hasBackslash(bytes, at + 1, end)) return parsedType(bytes)
      found = nameOf(bytes, at + 1, end)
      if (trusted) return found
      at = end + 1
    } else {
      at = skipValue(bytes, at)
      if (at < 0) return parsedType(bytes)
    }
    at = skipSpace(bytes, at)
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1)
    else if (bytes[at] !== CLOSE_BRACE) return parsedType(bytes)
  }
}

function nameOf(bytes: Buffer, start: number, end: number): string {
  for (const known of BY_LENGTH.get(end - start) ?? []) {
    if (liesAt(bytes, start, known.bytes)) return known.name
  }
  return bytes.toString('utf8', start, end)
}

function parsedType(bytes: Buffer): string | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    const { type } = value as { type?: unknown }
    return typeof type === 'string' ? type : null
  } catch {
    return null
  }
}

function skipSpace(bytes: Buffer, at: number): number {
  for (;;) {
    const c = bytes[at]
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return at
    at++
  }
}

/** Index of the next quote; -1 for none. Most are near, and found before a search in C++ has begun. */
function quoteAfter(bytes: Buffer, at: number): number {
  const near = Math.min(bytes.length, at + NEAR)
  for (let i = at + 1; i < near; i++) if (bytes[i] === QUOTE) return i
  return bytes.indexOf(QUOTE, near)
}

function hasBackslash(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === BACKSLASH) return true
  return false
}

/** Index after the string that opens at `at`; -1 when it does not end. */
function skipString(bytes: Buffer, at: number): number {
  let end = bytes.indexOf(QUOTE, at + 1)
  while (end > 0) {
    let slashes = 0
    while (bytes[end - 1 - slashes] === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end + 1
    end = bytes.indexOf(QUOTE, end + 1)
  }
  return -1
}

/** Index after the value that begins at `at`; -1 when it does not end. Checks the outline only, not the grammar. */
function skipValue(bytes: Buffer, at: number): number {
  const first = bytes[at]
  if (first === QUOTE) return skipString(bytes, at)
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    let end = at
    while (end < bytes.length && bytes[end] !== COMMA && bytes[end] !== CLOSE_BRACE) end++
    return end === at || end === bytes.length ? -1 : end
  }
  let depth = 0
  for (let i = at; i < bytes.length; ) {
    const c = bytes[i]
    if (c === QUOTE) {
      i = skipString(bytes, i)
      if (i < 0) return -1
      continue
    }
    if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++
    else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      depth--
      if (depth === 0) return i + 1
    }
    i++
  }
  return -1
}
