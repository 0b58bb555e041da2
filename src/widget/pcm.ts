/** Sound as it travels: base64 of signed 16-bit little-endian samples. */

/** Pieces in which a string is made of bytes; more arguments than this overflow some engines' stacks. */
const STEP = 8_192

export function toBase64(samples: Int16Array): string {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)
  let text = ''
  for (let at = 0; at < bytes.length; at += STEP) text += String.fromCharCode(...bytes.subarray(at, at + STEP))
  return btoa(text)
}

export function fromBase64(base64: string): Int16Array {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length & ~1)
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i)
  return new Int16Array(bytes.buffer)
}
