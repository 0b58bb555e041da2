import type { Clock } from '../../clock.ts'
import type { FaultError } from '../../faults.ts'
import type { Peer } from '../../frames/peer.ts'
import { between, type Instant, later, type Ms, ms, seconds } from '../../units.ts'
import { closeFor, errorEvent, type Leaving } from '../live/dismissal.ts'

/**
 * Between the upgrade and the reason. Some clients listen for events only a few turns of their loop after their connection
 * is open, and miss what came in the same packet as the upgrade; one of them then comes back for ever.
 */
const TOLD_AFTER = ms(50)
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
  readonly #callers = new Map<string, { count: number; until: Instant }>()
  readonly #held = new Set<() => void>()
  #isOver = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `caller`: what tells one caller from another: its address and credential id. */
  refuse(peer: Peer, fault: FaultError, caller: string): void {
    let isTold = false
    const tell = () => {
      if (!isTold) peer.send(errorEvent(fault))
      isTold = true
    }
    // The reason comes soon; only the close, which sets clients off again, has to wait.
    this.#clock.at(later(this.#clock.now(), TOLD_AFTER), tell)
    this.#hold(peer, caller, () => {
      tell()
      closeFor(peer, fault)
    })
  }

  /** The way out of a session that was over before it had begun: the same, with whatever is said and closed with. */
  leaving(peer: Peer, caller: string): Leaving {
    return {
      send: (message) => peer.send(message),
      close: (code, reason) => this.#hold(peer, caller, () => peer.close(code, reason)),
      terminate: () => peer.terminate(),
    }
  }

  /** Lets everybody go who is still held, and holds nobody from now on. */
  release(): void {
    this.#isOver = true
    for (const close of this.#held) close()
  }

  #hold(peer: Peer, caller: string, close: () => void): void {
    const hold = this.#holdFor(caller)
    if (this.#isOver || this.#held.size >= MOST_HELD) return close()
    const letGo = () => {
      forget()
      close()
    }
    const timer = this.#clock.at(later(this.#clock.now(), hold), letGo)
    const forget = () => {
      timer[Symbol.dispose]()
      this.#held.delete(letGo)
    }
    this.#held.add(letGo)
    peer.listen({
      message: () => undefined,
      binary: () => undefined,
      drained: () => undefined,
      alive: () => undefined,
      closed: forget,
    })
  }

  /** A caller that comes back after a hold waits longer; many at once, as one server's sessions are, wait alike. */
  #holdFor(caller: string): Ms {
    const now = this.#clock.now()
    const known = this.#callers.get(caller)
    this.#callers.delete(caller)
    const isForgotten = known === undefined || between(known.until, now) > FORGET_AFTER
    const count = isForgotten ? 0 : now < known.until ? known.count : known.count + 1
    const hold = ms(Math.min(LONGEST_HOLD, FIRST_HOLD * 2 ** Math.min(count, 10)))
    const until = !isForgotten && now < known.until ? known.until : later(now, hold)
    this.#callers.set(caller, { count, until })
    if (this.#callers.size > MOST_CALLERS) {
      for (const oldest of this.#callers.keys()) {
        this.#callers.delete(oldest)
        break
      }
    }
    return hold
  }
}
