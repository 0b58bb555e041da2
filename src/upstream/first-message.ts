import type { Peer, PeerListener } from '../frames/peer.ts'

/** A peer whose first message can be looked at before anybody listens: it is delivered again, first, to the listener. */
export class FirstMessage implements Peer {
  /** Resolves with the first message; rejects when the peer closes before it. */
  readonly arrived: Promise<Buffer>
  readonly #peer: Peer
  #listener: PeerListener | null = null
  readonly #early: Buffer[] = []
  #closure: { code: number; reason: string } | null = null

  constructor(peer: Peer) {
    this.#peer = peer
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    this.arrived = promise
    peer.listen({
      message: (bytes) => {
        if (this.#listener !== null) return this.#listener.message(bytes)
        this.#early.push(bytes)
        if (this.#early.length === 1) {
          // Whatever follows can wait until somebody listens.
          peer.pause()
          resolve(bytes)
        }
      },
      drained: () => this.#listener?.drained(),
      binary: () => this.#listener?.binary(),
      alive: () => this.#listener?.alive(),
      closed: (code, reason) => {
        this.#closure = { code, reason }
        reject(new Error(`closed with ${code} before the first message`))
        this.#listener?.closed(code, reason)
      },
    })
  }

  get backlog(): number {
    return this.#peer.backlog
  }

  get isOpen(): boolean {
    return this.#peer.isOpen
  }

  listen(listener: PeerListener): void {
    this.#listener = listener
    for (const bytes of this.#early.splice(0)) listener.message(bytes)
    this.#peer.resume()
    if (this.#closure !== null) listener.closed(this.#closure.code, this.#closure.reason)
  }

  send(message: Buffer | string): void {
    this.#peer.send(message)
  }

  pause(): void {
    this.#peer.pause()
  }

  resume(): void {
    this.#peer.resume()
  }

  ping(): void {
    this.#peer.ping()
  }

  close(code: number, reason: string): void {
    this.#peer.close(code, reason)
  }

  terminate(): void {
    this.#peer.terminate()
  }
}
