import type { DoorConfig } from '../../config/config.ts'
import type { Instant } from '../../units.ts'
import { Pace } from '../lines/pace.ts'

/** Addresses remembered at most; past it the longest unseen is forgotten. */
const MOST_ADDRESSES = 10_000
/** Wrong credentials allowed from one address a minute. */
const FAILURES_PER_MINUTE = 20

interface Entry {
  sockets: number
  upgrades: Pace
  failures: Pace
  blockedUntil: number
}

/** Bounds on what one network address may do, kept in this process. */
export class AddressLimits {
  readonly #entries = new Map<string, Entry>()

  /** Takes a place for a socket of this address; null when it has too many, or opens them too fast. */
  enter(address: string, door: DoorConfig, now: Instant): Disposable | null {
    const entry = this.#entry(address, door)
    if (entry.blockedUntil > now || entry.sockets >= door.socketsPerAddress) return null
    if (entry.upgrades.take(1, now) > 0) {
      return null
    }
    entry.sockets++
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (isHeld) entry.sockets--
        isHeld = false
      },
    }
  }

  /** A wrong credential came from here; too many, and the address waits. */
  failed(address: string, door: DoorConfig, now: Instant): void {
    const entry = this.#entry(address, door)
    const wait = entry.failures.take(1, now)
    if (wait > 0) entry.blockedUntil = now + wait
  }

  #entry(address: string, door: DoorConfig): Entry {
    const known = this.#entries.get(address)
    if (known !== undefined) {
      this.#entries.delete(address)
      this.#entries.set(address, known)
      return known
    }
    if (this.#entries.size >= MOST_ADDRESSES) this.#forgetOldest()
    const entry: Entry = {
      sockets: 0,
      upgrades: new Pace(door.upgradesPerAddressPerSecond, door.upgradesPerAddressPerSecond * 2),
      failures: new Pace(FAILURES_PER_MINUTE / 60, FAILURES_PER_MINUTE),
      blockedUntil: 0,
    }
    this.#entries.set(address, entry)
    return entry
  }

  #forgetOldest(): void {
    for (const [address, entry] of this.#entries) {
      if (entry.sockets > 0) continue
      this.#entries.delete(address)
      return
    }
  }
}
