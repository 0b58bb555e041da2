import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/**
 * An API key is `sk_<env>_<id>_<secret><check>`: eight public characters by which it is found, 256 random bits, and a
 * letter by which scanners tell a leaked key from a lookalike.
 */
export interface NewKey {
  /** Shown once. */
  key: string
  id: string
  /** What is kept: hex HMAC-SHA-256 of the whole key. */
  hash: string
}

const FORM = /^sk_([a-z]{2,8})_([a-z0-9]{8})_([A-Za-z0-9_-]{43})([a-z])$/
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
const ID_LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** `pepper`: the installation's own, from the policy file; may be empty. `id`: of a key that gets a new secret. */
export function makeKey(environment: string, pepper: string, id = newId()): NewKey {
  const body = `sk_${environment}_${id}_${randomBytes(32).toString('base64url')}`
  const key = body + checkLetter(body)
  return { key, id, hash: hashKey(key, pepper) }
}

/** The public id of a key; null when it has not the form of one of ours. */
export function keyId(key: string): string | null {
  const match = FORM.exec(key)
  if (match === null || checkLetter(key.slice(0, -1)) !== match[4]) return null
  return match[2] ?? null
}

/** A fast hash is right here: the secret has 256 random bits and cannot be guessed from a dictionary. */
export function hashKey(key: string, pepper: string): string {
  return createHmac('sha256', pepper).update(key).digest('hex')
}

/** Compares in constant time. An unknown key is compared too, with `null`, so that it takes as long. */
export function matches(key: string, hash: string | null, pepper: string): boolean {
  const shown = Buffer.from(hashKey(key, pepper), 'hex')
  const kept = Buffer.from(hash ?? '', 'hex')
  const expected = kept.length === shown.length ? kept : Buffer.alloc(shown.length)
  return timingSafeEqual(shown, expected) && hash !== null
}

function newId(): string {
  return Array.from(randomBytes(8), (byte) => ID_LETTERS[byte % ID_LETTERS.length]).join('')
}

function checkLetter(body: string): string {
  let sum = 0
  for (let i = 0; i < body.length; i++) sum = (sum * 31 + body.charCodeAt(i)) % 65_521
  return LETTERS[sum % LETTERS.length] ?? 'a'
}
