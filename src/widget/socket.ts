import type { ClientEvent } from './call-state.ts'
import type { ServerEvent } from './server-events.ts'

export interface SocketListener {
  received(event: ServerEvent): void
  closed(code: number): void
}

/** Where a session is opened or gone on with. */
export interface Address {
  /** Base URL of Parley. */
  parley: URL
  /** Null where the secret fixes it. */
  model: string | null
  /** Number of the last frame seen; null for a new session. */
  resumeFrom: number | null
}

/** Parley's live door. The credential goes as a subprotocol, because browsers let a page set no header. */
export class Socket {
  readonly #socket: WebSocket
  #listener: SocketListener | null

  constructor(address: Address, credential: string, listener: SocketListener) {
    this.#listener = listener
    this.#socket = new WebSocket(doorOf(address), ['realtime', `openai-insecure-api-key.${credential}`, 'parley.v1'])
    this.#socket.onmessage = ({ data }: MessageEvent<string>) => {
      this.#listener?.received(JSON.parse(data) as ServerEvent)
    }
    this.#socket.onclose = ({ code }) => this.#listener?.closed(code)
  }

  send(event: ClientEvent): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event))
  }

  /** Says that the conversation is over. */
  hangUp(): void {
    this.#listener = null
    this.#socket.close(1_000)
  }

  /**
   * Listens no more, and leaves the line to itself: any close that a page can send would tell the server that the
   * conversation is over. One that is not open yet is given up.
   */
  leave(): void {
    this.#listener = null
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.close()
  }
}

function doorOf({ parley, model, resumeFrom }: Address): URL {
  const url = new URL(`${parley.pathname.replace(/\/$/, '')}/v1/realtime`, parley)
  url.protocol = parley.protocol === 'https:' ? 'wss:' : 'ws:'
  if (model !== null) url.searchParams.set('model', model)
  if (resumeFrom !== null) url.searchParams.set('resume_from', String(resumeFrom))
  return url
}
