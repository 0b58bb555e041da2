import type { Peer } from '../../frames/peer.ts'

/** Why a peer is not being read. Any one reason is enough. */
export type HoldReason = 'opening' | 'other_side_slow' | 'too_fast' | 'audio_too_fast' | 'replay_full' | 'limit'

/** Reads from a peer while nobody has a reason against it. */
export class Valve {
  #peer: Peer | null
  readonly #held = new Set<HoldReason>()

  constructor(peer: Peer | null) {
    this.#peer = peer
  }

  /** Puts another peer behind the same reasons, or none. */
  set peer(peer: Peer | null) {
    this.#peer = peer
    if (this.#held.size > 0) peer?.pause()
  }

  get isOpen(): boolean {
    return this.#held.size === 0
  }

  isHeldFor(reason: HoldReason): boolean {
    return this.#held.has(reason)
  }

  hold(reason: HoldReason): void {
    if (this.#held.size === 0) this.#peer?.pause()
    this.#held.add(reason)
  }

  release(reason: HoldReason): void {
    if (this.#held.delete(reason) && this.#held.size === 0) this.#peer?.resume()
  }
}
