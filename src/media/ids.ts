import { randomBytes } from 'node:crypto'
import type { Instant } from '../units.ts'

/** What can be named: a file, a job, a batch, a job's event, a webhook endpoint, a message to one. */
export type IdKind = 'file' | 'job' | 'batch' | 'evt' | 'whe' | 'msg'

/** Crockford's: no letter that is taken for another, and in the order of their values, so that ids sort as their times do. */
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'
const LENGTH = 26

/** A UUID of version 7 as 26 letters: sorted by time to a 4,096th of a millisecond, and 62 random bits. */
export function newId<K extends IdKind>(kind: K, now: Instant): `${K}_${string}` {
  return idFrom(kind, now, randomBytes(8))
}

/** The same from bits that are given, so that whoever makes an id twice makes the same one. `bits`: 8 bytes. */
export function idFrom<K extends IdKind>(kind: K, at: Instant, bits: Uint8Array): `${K}_${string}` {
  const whole = Math.floor(at)
  const fraction = Math.floor((at - whole) * 4_096)
  const random = Buffer.from(bits.buffer, bits.byteOffset, 8).readBigUInt64BE() & 0x3fff_ffff_ffff_ffffn
  const uuid = (BigInt(whole) << 80n) | (7n << 76n) | (BigInt(fraction) << 64n) | (2n << 62n) | random
  let text = ''
  for (let i = LENGTH - 1; i >= 0; i--) text += LETTERS[Number((uuid >> BigInt(5 * i)) & 31n)]
  return `${kind}_${text}`
}

/** When an id was made, to the millisecond; null for what is no id of this kind. */
export function idTime(kind: IdKind, id: string): Instant | null {
  if (!isId(kind, id)) return null
  let uuid = 0n
  for (const letter of id.slice(kind.length + 1)) uuid = (uuid << 5n) | BigInt(LETTERS.indexOf(letter))
  return Number(uuid >> 80n) as Instant
}

export function isId(kind: IdKind, id: string): boolean {
  return id.length === kind.length + 1 + LENGTH && id.startsWith(`${kind}_`) && FORM.test(id.slice(kind.length + 1))
}

/** 26 letters hold two bits more than a UUID. */
const FORM = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/
