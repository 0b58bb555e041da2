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

/** The one token that brings a session's caller back. Each is good once; handing out the next ends the one before. */
export class ResumeTicket {
  readonly #sessionId: string
  readonly #publish: (tokenHash: string) => Promise<void>
  #hash: string | null = null

  /** `publish` makes a token good on every node before it is handed out; never rejects. */
  constructor(sessionId: string, publish: (tokenHash: string) => Promise<void>) {
    this.#sessionId = sessionId
    this.#publish = publish
  }

  /** SHA-256 of the token that is good now, hex; null when none is. */
  get hash(): string | null {
    return this.#hash
  }

  async issue(): Promise<string> {
    const token = makeResumeToken(this.#sessionId)
    this.#hash = hashToken(token)
    await this.#publish(this.#hash)
    return token
  }

  /** True for the token handed out last, once, and for no other. */
  take(tokenHash: string): boolean {
    if (this.#hash === null || this.#hash !== tokenHash) return false
    this.#hash = null
    return true
  }
}
