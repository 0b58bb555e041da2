import type { IncomingMessage, RequestListener, Server } from 'node:http'
import type { Duplex } from 'node:stream'

/** What answers at a listener. */
export interface Doors {
  request: RequestListener
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

/**
 * In front of a node's doors. A port takes connections before the node is whole, because its address is part of it; whoever
 * comes that early waits here. Node itself would leave such a request without an answer for ever.
 */
export class Threshold {
  readonly #doors = Promise.withResolvers<Doors>()

  /** Before the server listens. */
  guard(server: Server): void {
    server.on('request', async (request, response) => (await this.#doors.promise).request(request, response))
    server.on('upgrade', async (request, socket, head) => {
      // Who leaves while waiting must not take the process along.
      socket.on('error', () => socket.destroy())
      const doors = await this.#doors.promise
      doors.upgrade(request, socket, head)
    })
  }

  open(doors: Doors): void {
    this.#doors.resolve(doors)
  }
}
