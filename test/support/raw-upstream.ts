import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

/** A provider that says exactly what a test tells it to, and keeps every frame it gets. */
export class RawUpstream implements AsyncDisposable {
  readonly received: string[] = []
  readonly requests: IncomingMessage[] = []
  readonly sockets: WebSocket[] = []
  /** Frames of each connection, as `received` has them of all. */
  readonly heard: string[][] = []
  readonly #server: Server
  readonly #wss: WebSocketServer
  #wake = Promise.withResolvers<void>()

  private constructor(server: Server, created: object | null) {
    this.#server = server
    this.#wss = new WebSocketServer({ server, maxPayload: 64 * 1024 * 1024 })
    this.#wss.on('connection', (socket, request) => {
      const heard: string[] = []
      this.heard.push(heard)
      this.sockets.push(socket)
      this.requests.push(request)
      socket.on('message', (data) => {
        this.received.push(data.toString())
        heard.push(data.toString())
        this.#notice()
      })
      socket.on('close', () => this.#notice())
      socket.on('error', () => undefined)
      if (created !== null) socket.send(JSON.stringify(created))
      this.#notice()
    })
  }

  static async start(created: object | null = SESSION_CREATED): Promise<RawUpstream> {
    const server = createServer()
    const upstream = new RawUpstream(server, created)
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
    return upstream
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`
  }

  /** The newest connection. */
  get socket(): WebSocket {
    return this.sockets.at(-1) as WebSocket
  }

  send(frame: string | object): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#wake.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wss.close()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }

  #notice(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }
}

/** The least a GA session object has. */
export const SESSION_CREATED = {
  type: 'session.created',
  event_id: 'event_1',
  session: {
    type: 'realtime',
    object: 'realtime.session',
    id: 'sess_1',
    model: 'gpt-realtime',
    output_modalities: ['audio'],
    audio: {
      input: { format: { type: 'audio/pcm', rate: 24_000 }, turn_detection: { type: 'server_vad' } },
      output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: 'alloy', speed: 1 },
    },
  },
}
