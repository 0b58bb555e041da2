import { createServer, type Server } from 'node:http'
import type { Clock } from '../../../clock.ts'
import { MediaDoor } from './media-door.ts'

/** The HTTP side alone on a unix socket, for processes that hold no live sessions. */
export class LoopbackMedia implements AsyncDisposable {
  readonly door: MediaDoor
  readonly #server: Server

  private constructor(door: MediaDoor, server: Server) {
    this.door = door
    this.#server = server
  }

  static async start(socket: string, clock: Clock): Promise<LoopbackMedia> {
    const door = new MediaDoor({ clock, faults: () => ({}) })
    const server = createServer((request, response) => door.handle(request, response))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(socket, resolve)
    await promise
    return new LoopbackMedia(door, server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }
}
