import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One message as it came; its id is the same however often it comes. */
export interface Told {
  readonly id: string
  readonly type: string
  readonly job: string
  readonly seq: number
}

/** Whoever wants to be told what becomes of jobs. */
export class HookReceiver implements AsyncDisposable {
  /** By job, in the order of coming. */
  readonly told = new Map<string, Told[]>()
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const { type, data } = JSON.parse(Buffer.concat(parts).toString()) as {
          type: string
          data: { id: string; seq: number }
        }
        const all = this.told.get(data.id) ?? []
        all.push({ id: String(request.headers['webhook-id']), type, job: data.id, seq: data.seq })
        this.told.set(data.id, all)
        response.writeHead(204).end()
      })
    })
  }

  static async start(): Promise<HookReceiver> {
    const receiver = new HookReceiver()
    const { promise, resolve } = Promise.withResolvers<void>()
    receiver.#server.listen(0, '127.0.0.1', resolve)
    await promise
    return receiver
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }
}
