import type { Message, Peer } from '../../frames/peer.ts'
import type { Instant } from '../../units.ts'
import type { ParleyServerEvent } from '../../wire/parley-events.ts'
import type { SessionTimeline } from '../live/session-timeline.ts'
import type { EventRing } from './event-ring.ts'
import type { Valve } from './valve.ts'

/** Backlogs, bytes, past which the provider is paused, and past which the reader is given up at once. */
export interface BacklogBounds {
  soft: number
  hard: number
}

/**
 * Everything that goes to the caller goes through here, in order: counted and kept for replay where the caller can resume,
 * and never faster than it reads.
 */
export class Outbox {
  readonly ring: EventRing | null
  readonly #bounds: BacklogBounds
  /** The provider's side, held while the caller is slow. */
  readonly #source: Valve
  readonly #speaksParley: boolean
  readonly #timeline: Pick<SessionTimeline, 'parley'>
  #peer: Peer | null = null
  /** Backlog that a replay or one huge frame brought about, bytes: not the caller's fault until it has been written out. */
  #forgiven = 0
  /** When the caller's backlog went over the soft bound; null while it is under. */
  #slowSince: Instant | null = null

  /** `timeline`: hears of every event of Parley's own, also where the caller has not asked for such. */
  constructor(
    ring: EventRing | null,
    bounds: BacklogBounds,
    source: Valve,
    speaksParley: boolean,
    timeline: Pick<SessionTimeline, 'parley'>,
  ) {
    this.ring = ring
    this.#bounds = bounds
    this.#source = source
    this.#speaksParley = speaksParley
    this.#timeline = timeline
  }

  get slowSince(): Instant | null {
    return this.#slowSince
  }

  /** The caller's socket from now on; null while it is away. */
  attach(peer: Peer | null): void {
    this.#peer = peer
    this.#slowSince = null
    this.#forgiven = 0
    this.#source.release('other_side_slow')
  }

  /** One event of the provider, as it came. Returns false when the caller is so far behind that it must be given up. */
  forward(message: Message, now: Instant): boolean {
    this.ring?.push(message, now)
    const peer = this.#peer
    if (peer === null) return true
    peer.forward(message)
    if (peer.backlog <= this.#bounds.soft) return true
    if (this.#slowSince === null) {
      this.#slowSince = now
      this.#source.hold('other_side_slow')
    }
    // What was being parsed when the provider was paused may still come; a reader this far behind is beyond it.
    this.#forgiven = Math.max(this.#forgiven, message.text.length)
    return peer.backlog <= this.#bounds.hard + this.#forgiven
  }

  /** An event of Parley's own, for callers that asked for them; never counted, never kept. */
  tell(event: ParleyServerEvent): void {
    this.#timeline.parley(event)
    if (this.#speaksParley) this.#peer?.send(JSON.stringify(event))
  }

  /** What a returning caller has missed, as it was. */
  replay(messages: readonly Message[]): void {
    for (const message of messages) this.#peer?.forward(message)
    this.#forgiven = this.#peer?.backlog ?? 0
  }

  /** The caller has taken all that was queued. */
  drained(): void {
    this.#slowSince = null
    this.#forgiven = 0
    this.#source.release('other_side_slow')
  }
}
