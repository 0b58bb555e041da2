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

/**
 * The one token that brings a session's caller back. Each is good once: the next ends it. Should the line die before the
 * next has reached the caller, it comes back with the one it has.
 */
export class ResumeTicket {
  readonly #sessionId: string
  readonly #publish: (tokenHash: string) => Promise<void>
  #hash: string | null = null
  /** The token that brought the caller back last, while nothing shows that the one after it has arrived. */
  #former: string | null = null

  /** `publish` makes a token good on every node before it is handed out; never rejects. */
  constructor(sessionId: string, publish: (tokenHash: string) => Promise<void>) {
    this.#sessionId = sessionId
    this.#publish = publish
  }

  /** SHA-256 of the token that is good now, hex; null when none is. */
  get hash(): string | null {
    return this.#hash ?? this.#former
  }

  async issue(): Promise<string> {
    const token = makeResumeToken(this.#sessionId)
    this.#hash = hashToken(token)
    await this.#publish(this.#hash)
    return token
  }

  /**
   * True for the token handed out last, once. While `isAlone`, nobody being at the session or about to be, also for the one
   * before it, if its holder may have no other.
   */
  take(tokenHash: string, isAlone: boolean): boolean {
    if (tokenHash === this.#hash) {
      this.#former = tokenHash
      this.#hash = null
      return true
    }
    return isAlone && tokenHash === this.#former
  }

  /** The caller came with this token, elsewhere or before: it is all it has until the next one reaches it. */
  cameWith(tokenHash: string): void {
    this.#former = tokenHash
  }

  /** The token handed out last is in the caller's hands. */
  arrived(): void {
    this.#former = null
  }
}
