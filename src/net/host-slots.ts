import { FaultError } from '../faults.ts'
import type { Stages } from './stages.ts'

/** Requests at one host at the same time, and how many more may wait for their turn. */
const AT_ONCE = 4
const MOST_WAITING = 256

interface Host {
  running: number
  waiting: (() => void)[]
}

/** Keeps one slow or popular host from taking everything, and us from flooding it. First come, first served; by host and port. */
export class HostSlots {
  readonly #hosts = new Map<string, Host>()

  /** Rejects with `overloaded` when too many wait already, or with the reason of the request's own end. */
  async take(host: string, stages: Stages): Promise<Disposable> {
    const entry = this.#hosts.get(host) ?? { running: 0, waiting: [] }
    this.#hosts.set(host, entry)
    if (entry.running < AT_ONCE) entry.running++
    else {
      if (entry.waiting.length >= MOST_WAITING) throw new FaultError('overloaded', `too many requests wait for ${host}`)
      const { promise, resolve } = Promise.withResolvers<void>()
      entry.waiting.push(resolve)
      try {
        await stages.race(promise)
      } catch (error) {
        const place = entry.waiting.indexOf(resolve)
        // No longer in the queue: the slot was handed over at the very moment of the abort, so it goes on to the next.
        if (place < 0) this.#release(host, entry)
        else entry.waiting.splice(place, 1)
        throw error
      }
    }
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#release(host, entry)
        isHeld = false
      },
    }
  }

  #release(host: string, entry: Host): void {
    const next = entry.waiting.shift()
    if (next !== undefined) return next()
    entry.running--
    if (entry.running === 0) this.#hosts.delete(host)
  }
}
