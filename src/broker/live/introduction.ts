import type { Clock } from '../../clock.ts'
import type { SessionPolicy } from '../../session/policy.ts'
import { between, type Instant, wholeMs } from '../../units.ts'
import type { ResumeTicket } from '../entry/resume-token.ts'
import type { Outbox } from '../lines/outbox.ts'

/** What a caller is told of its session when it comes, and what it needs to come back. */
export class Introduction {
  readonly #clock: Clock
  readonly #sessionId: string
  readonly #policy: SessionPolicy
  readonly #endsAt: Instant
  readonly #outbox: Outbox
  /** Null where the caller cannot resume. */
  readonly #ticket: ResumeTicket | null

  constructor(
    clock: Clock,
    sessionId: string,
    policy: SessionPolicy,
    endsAt: Instant,
    outbox: Outbox,
    ticket: ResumeTicket | null,
  ) {
    this.#clock = clock
    this.#sessionId = sessionId
    this.#policy = policy
    this.#endsAt = endsAt
    this.#outbox = outbox
    this.#ticket = ticket
  }

  /** SHA-256 of the token that is good now, hex; empty when none is. */
  get tokenHash(): string {
    return this.#ticket?.hash ?? ''
  }

  /** A fresh resume token, good everywhere; null where there is none. */
  async issue(): Promise<string | null> {
    return (await this.#ticket?.issue()) ?? null
  }

  /**
   * Uses up the token handed out last, if a caller that has seen frame number `seen` can go on from there. `isAlone`: as in
   * {@link ResumeTicket.take}.
   */
  take(tokenHash: string, seen: number, isAlone: boolean): boolean {
    return (this.#outbox.ring?.since(seen) ?? null) !== null && this.#ticket?.take(tokenHash, isAlone) === true
  }

  /** What was told last has reached the caller. */
  arrived(): void {
    this.#ticket?.arrived()
  }

  /** `seq`: number of the last counted frame the caller has, or will have been sent before the next. */
  tell(token: string | null, resumed: boolean, seq: number): void {
    this.#outbox.tell({
      type: 'parley.session',
      session_id: this.#sessionId,
      resumed,
      resume_token: token,
      resume_window_ms: this.#policy.resumeWindow ?? 0,
      seq,
      ends_at_ms: wholeMs(this.#endsAt),
      remaining_ms: wholeMs(between(this.#clock.now(), this.#endsAt)),
      idle_limit_ms: this.#policy.idle?.limit ?? null,
    })
  }

  /** For a caller whose session has just begun; `cameWith`: at another node, and this token, SHA-256, brought it here. */
  async introduce(cameWith: string | null): Promise<void> {
    if (cameWith !== null) this.#ticket?.cameWith(cameWith)
    const token = await this.issue()
    this.tell(token, cameWith !== null, this.#outbox.ring?.seq ?? 0)
  }
}
