import { createHash, randomBytes } from 'node:crypto'

/** The form of a resume token: the session it belongs to can be read from it, the rest is 256 random bits. */
const FORM = /^prt_([A-Za-z0-9-]{1,64})_[A-Za-z0-9_-]{43}$/

export function makeResumeToken(sessionId: string): string {
  return `prt_${sessionId}_${randomBytes(32).toString('base64url')}`
}

/** The session a token claims to be for; null when it has not the form of one. */
export function sessionOfToken(token: string): string | null {
  return FORM.exec(token)?.[1] ?? null
}

/** SHA-256, hex: what is compared and what is stored. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
