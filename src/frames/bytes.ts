/** Whether these bytes lie at a position. A comparison of so few is done before one in C++ has begun. */
export function liesAt(bytes: Buffer, at: number, what: Buffer): boolean {
  if (at + what.length > bytes.length) return false
  for (let i = 0; i < what.length; i++) if (bytes[at + i] !== what[i]) return false
  return true
}
