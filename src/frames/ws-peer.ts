import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import WebSocket, { WebSocketServer } from 'ws'
import type { DoorConfig } from '../config/config.ts'
import type { Peer, PeerListener } from './peer.ts'

/** A close that is not answered within this time becomes a cut, ms. */
const CLOSE_TIMEOUT_MS = 3_000
/** Pongs owed at most to a peer that floods pings. */
const MOST_PENDING_PONGS = 8
const NORMAL_CODES = { none: 1005 }

/** A Peer over the `ws` package, for either side of the relay. */
export class WsPeer implements Peer {
  readonly #socket: WebSocket
  #listener: PeerListener | null = null
  /** What came before anybody listened; a provider may speak first. */
  #early: Buffer[] | null = []
  #closure: { code: number; reason: string } | null = null
  #wasQueued = false

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#message(data, isBinary))
    socket.on('pong', () => this.#listener?.alive())
    socket.on('ping', () => this.#listener?.alive())
    socket.on('close', (code: number, reason: Buffer) => this.#closed(code, reason.toString('utf8')))
    // A broken line ends in 'close' with 1006, which is where it is told.
    socket.on('error', () => socket.terminate())
    // A socket that is still being dialled has no TCP socket yet.
    if (socket.readyState === WebSocket.CONNECTING) socket.once('open', () => this.#watchBacklog())
    else this.#watchBacklog()
  }

  get backlog(): number {
    return this.#socket.bufferedAmount
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  listen(listener: PeerListener): void {
    this.#listener = listener
    const early = this.#early ?? []
    this.#early = null
    for (const bytes of early) listener.message(bytes)
    if (this.#closure !== null) listener.closed(this.#closure.code, this.#closure.reason)
  }

  send(message: Buffer | string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    this.#socket.send(message, TEXT)
    if (this.#socket.bufferedAmount > 0) this.#wasQueued = true
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  ping(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping(PING)
  }

  close(code: number, reason: string): void {
    // A paused socket would never read the answer.
    this.#socket.resume()
    if (code === NORMAL_CODES.none || code === 1006) this.#socket.close()
    else this.#socket.close(code, reason)
  }

  terminate(): void {
    this.#socket.terminate()
  }

  #watchBacklog(): void {
    tcpOf(this.#socket)?.on('drain', () => {
      if (!this.#wasQueued) return
      this.#wasQueued = false
      this.#listener?.drained()
    })
  }

  #message(data: Buffer, isBinary: boolean): void {
    if (isBinary) this.#listener?.binary()
    else if (this.#listener !== null) this.#listener.message(data)
    else this.#early?.push(data)
  }

  #closed(code: number, reason: string): void {
    this.#closure = { code, reason }
    this.#listener?.closed(code, reason)
  }
}

const TEXT = { binary: false, compress: false, fin: true } as const
const PING = Buffer.from('parley')

/** The TCP or TLS socket below. ws keeps it in a field that its own types leave out. */
function tcpOf(socket: WebSocket): Duplex | null {
  return (socket as unknown as { _socket?: Duplex })._socket ?? null
}

/** Completes upgrades for callers: one `ws` server without a port, with the door's bounds. */
export class CallerUpgrades {
  readonly #server: WebSocketServer

  constructor(door: DoorConfig) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: door.maxMessage,
      maxFragments: door.maxFragments,
      maxBufferedChunks: door.maxBufferedChunks,
      maxPendingAutoPongs: MOST_PENDING_PONGS,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: (offered: Set<string>) => selectProtocol(offered) ?? false,
    } as ConstructorParameters<typeof WebSocketServer>[0])
  }

  /**
   * Never rejects: a request that is no proper upgrade is answered with HTTP 400 by `ws` itself. The peer is handed over
   * paused: clients may send as soon as they are connected, and nobody is there yet to hear them.
   */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, then: (peer: WsPeer) => void): void {
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      ws.pause()
      then(new WsPeer(ws))
    })
  }
}

/** `realtime` when offered, else `parley.v1`; never one that carries a key. */
export function selectProtocol(offered: ReadonlySet<string>): string | null {
  if (offered.has('realtime')) return 'realtime'
  return offered.has('parley.v1') ? 'parley.v1' : null
}

/** Options of every connection the broker opens: what comes from a provider is passed on unread, so it is not checked. */
export const DIAL_OPTIONS = {
  perMessageDeflate: false,
  skipUTF8Validation: true,
  maxPayload: 64 * 1024 * 1024,
  followRedirects: false,
  closeTimeout: CLOSE_TIMEOUT_MS,
} as const
