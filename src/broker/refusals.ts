import type { Clock } from '../clock.ts'
import type { FaultError } from '../faults.ts'
import type { Peer } from '../frames/peer.ts'
import { type Instant, later, ms, seconds } from '../units.ts'
import { closeFor, closeWith, errorEvent } from './dismissal.ts'

/** The first refusal is held this long; each further one of the same caller twice as long as the one before. */
const FIRST_HOLD = ms(250)
const LONGEST_HOLD = seconds(30)
/** A caller that keeps away this long starts afresh. */
const FORGET_AFTER = seconds(60)
/** Refused connections held at once; past it they are closed at once, which costs the node less than holding them. */
const MOST_HELD = 1_000
const MOST_CALLERS = 10_000

/**
 * Tells callers that they are refused, in OpenAI's own way: the upgrade stands, an `error` event, then a close. One known
 * client reconnects at once and for ever after any close, so the close is held back for a growing moment.
 */
export class Refusals {
  readonly #clock: Clock
  readonly #callers = new Map<string, { count: number; last: Instant }>()
  #held = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `caller`: what tells one caller from another: its address and credential id. */
  refuse(peer: Peer, fault: FaultError, caller: string): void {
    const hold = this.#holdFor(caller)
    if (this.#held >= MOST_HELD) return closeWith(peer, fault)
    this.#held++
    let isOver = false
    const over = () => {
      if (isOver) return false
      isOver = true
      this.#held--
      return true
    }
    const timer = this.#clock.at(later(this.#clock.now(), hold), () => {
      if (over()) closeFor(peer, fault)
    })
    peer.listen({
      message: () => undefined,
      binary: () => undefined,
      drained: () => undefined,
      alive: () => undefined,
      closed: () => {
        timer[Symbol.dispose]()
        over()
      },
    })
    // The reason comes at once; only the close, which sets clients off again, has to wait.
    peer.send(errorEvent(fault))
  }

  #holdFor(caller: string): ReturnType<typeof ms> {
    const now = this.#clock.now()
    const known = this.#callers.get(caller)
    this.#callers.delete(caller)
    const count = known === undefined || now - known.last > FORGET_AFTER ? 0 : known.count
    this.#callers.set(caller, { count: count + 1, last: now })
    if (this.#callers.size > MOST_CALLERS) {
      for (const oldest of this.#callers.keys()) {
        this.#callers.delete(oldest)
        break
      }
    }
    return ms(Math.min(LONGEST_HOLD, FIRST_HOLD * 2 ** Math.min(count, 10)))
  }
}
