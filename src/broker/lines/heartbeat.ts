import type { Peer } from '../../frames/peer.ts'

/** Pings without any sign of life after which a peer is gone. */
const MISSED_PINGS = 2

/** Whether somebody is at the other end of a line. */
export class Heartbeat {
  /** Pings since the peer was last heard. */
  #unanswered = 0

  heard(): void {
    this.#unanswered = 0
  }

  /** Every ping interval, while the peer is being read. False when it has missed too many: it is gone. */
  ping(peer: Peer): boolean {
    if (this.#unanswered >= MISSED_PINGS) return false
    this.#unanswered++
    peer.ping()
    return true
  }
}
