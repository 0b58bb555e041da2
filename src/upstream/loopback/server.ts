import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { credentialsOf } from '../../auth/authenticate.ts'
import type { Clock } from '../../clock.ts'
import { selectProtocol } from '../../frames/upgrade.ts'
import { type Instant, later, ms } from '../../units.ts'
import type { VoiceDetection } from '../../voice/detector.ts'
import { type Faults, parseFaults } from './faults.ts'
import { type BillRecord, LoopbackSession, newId } from './loopback-session.ts'
import { MediaDoor } from './media/media-door.ts'

type Loose = Record<string, unknown>

export interface LoopbackOptions {
  /** A unix socket path, or a TCP port on 127.0.0.1 (0: a free one). */
  listen: { socket: string } | { port: number }
  clock: Clock
  voices: VoiceDetection
  /** How many times faster than it plays audio is sent; 8 when left out. */
  speed?: number
  /** The only key accepted; any when left out. */
  key?: string
  /** The only models known; any when left out. */
  models?: readonly string[]
  /** Length of a session, ms; 60 minutes when left out, as the live service. */
  sessionMs?: number
}

/** Records kept of what was billed; the sums go on beyond it. */
const MOST_RECORDS = 100_000
/** A line with this much waiting is full, bytes. */
const BLOCKED_AT = 256 * 1_024
const PING_MS = 20_000

/**
 * A realtime provider without a model: the demo, the test double and the reference of the contract. Faults come with the
 * query `fault=…` or the header `x-loopback-fault`, or for all connections through `faults`.
 */
export class Loopback implements AsyncDisposable {
  /** What was billed, and when. */
  readonly bills: (BillRecord & { at: Instant })[] = []
  /** Sessions that are over, by their ids: when, and the close code of the line; 1006 where it was lost. */
  readonly closures = new Map<string, { at: Instant; code: number }>()
  /** Requests as they came, newest last: what a client really sent. Of credentials only that they were given. */
  readonly upgrades: { url: string; headers: IncomingMessage['headers'] }[] = []
  /** For every connection and request from now on. */
  faults: Faults = {}
  /** Transcriptions, chat completions and responses over HTTP. */
  readonly media: MediaDoor
  readonly #options: LoopbackOptions
  readonly #server: Server
  readonly #sockets: WebSocketServer
  readonly #connections = new Set<Connection>()

  private constructor(options: LoopbackOptions) {
    this.#options = options
    const { clock, key } = options
    this.media = new MediaDoor({ clock, ...(key === undefined ? {} : { key }), faults: () => this.faults })
    this.#server = createServer((request, response) => this.media.handle(request, response))
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: 20 * 1_024 * 1_024,
      handleProtocols: (offered) => selectProtocol(offered) ?? false,
    })
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  static async start(options: LoopbackOptions): Promise<Loopback> {
    const loopback = new Loopback(options)
    const where = 'socket' in options.listen ? options.listen.socket : options.listen.port
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    loopback.#server.once('error', reject)
    if (typeof where === 'string') loopback.#server.listen(where, resolve)
    else loopback.#server.listen(where, '127.0.0.1', resolve)
    await promise
    return loopback
  }

  /** `http://127.0.0.1:…/v1`, a base URL like the provider's own. */
  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`
  }

  /** Connections that are open now. */
  get live(): number {
    return this.#connections.size
  }

  /** Cuts every line without a close frame. */
  cutAll(): void {
    for (const connection of this.#connections) connection.cut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.cut()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const headers = { ...request.headers }
    for (const name of ['authorization', 'api-key', 'sec-websocket-protocol']) {
      if (headers[name] !== undefined) headers[name] = '(given)'
    }
    this.upgrades.push({ url: request.url ?? '', headers })
    if (this.upgrades.length > 1_000) this.upgrades.shift()
    const url = new URL(request.url ?? '/', 'http://loopback')
    const asked = request.headers['x-loopback-fault']
    const faults = {
      ...this.faults,
      ...parseFaults(url.searchParams.get('fault') ?? (asked === undefined ? null : String(asked))),
    }
    if (faults.refuse !== undefined && faults.refuse >= 400) {
      socket.end(`HTTP/1.1 ${faults.refuse} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#admit(ws, request, url, faults))
  }

  #admit(ws: WebSocket, request: IncomingMessage, url: URL, faults: Faults): void {
    if (faults.silent !== undefined) {
      ws.on('error', () => ws.terminate())
      return
    }
    const refusal = this.#refusal(request, url)
    if (refusal !== null) {
      const [code, close, message] = refusal
      const error = { type: 'invalid_request_error', code, message, param: null, event_id: null }
      ws.on('error', () => ws.terminate())
      ws.send(JSON.stringify({ type: 'error', event_id: newId('event'), error }))
      ws.close(close, `invalid_request_error.${code}`)
      return
    }
    const connection = new Connection(ws, url, faults, this.#options, (record) => {
      if (this.bills.length < MOST_RECORDS) this.bills.push({ ...record, at: this.#options.clock.now() })
    })
    this.#connections.add(connection)
    ws.on('close', (code) => {
      this.#connections.delete(connection)
      if (this.closures.size < MOST_RECORDS) this.closures.set(connection.id, { at: this.#options.clock.now(), code })
    })
  }

  #refusal(request: IncomingMessage, url: URL): [code: string, close: number, message: string] | null {
    const key = credentialsOf(request.headers).value
    if (key === null || (this.#options.key !== undefined && key !== this.#options.key)) {
      return ['invalid_api_key', 3_000, 'Incorrect API key provided.']
    }
    if (String(request.headers['openai-beta'] ?? '').includes('realtime=v1')) {
      return ['beta_api_shape_disabled', 4_000, 'The Realtime Beta API is no longer supported.']
    }
    const intent = url.searchParams.get('intent')
    if (intent !== null && intent !== 'transcription') return ['invalid_intent', 4_000, 'Unknown intent.']
    const model = url.searchParams.get('model')
    if (intent === null && (model === null || model === ''))
      return ['missing_model', 4_000, 'You must provide a model parameter.']
    const known = this.#options.models
    if (intent === null && known !== undefined && !known.includes(model ?? '')) {
      return ['model_not_found', 4_000, `The model '${model}' does not exist or you do not have access to it.`]
    }
    return null
  }
}

/** One socket and its session, and what is asked to go wrong between them. */
class Connection {
  readonly #ws: WebSocket
  readonly #faults: Faults
  readonly #clock: Clock
  readonly #session: LoopbackSession
  readonly #timers: Disposable[] = []
  #sent = 0

  constructor(ws: WebSocket, url: URL, faults: Faults, options: LoopbackOptions, bill: (record: BillRecord) => void) {
    this.#ws = ws
    this.#faults = faults
    this.#clock = options.clock
    const lifeMs = faults.expire ?? options.sessionMs ?? 3_600_000
    const now = options.clock.now()
    const isTranscription = url.searchParams.get('intent') === 'transcription'
    this.#session = new LoopbackSession(
      {
        kind: isTranscription ? 'transcription' : 'realtime',
        model: url.searchParams.get('model') ?? '',
        expiresAt: Math.floor((now + lifeMs) / 1_000),
        speed: options.speed ?? 8,
        faults,
      },
      { emit: (event) => this.#emit(event), isBlocked: () => ws.bufferedAmount > BLOCKED_AT, bill },
      options.clock,
      options.voices,
    )
    this.#timers.push(options.clock.at(later(now, ms(lifeMs)), () => this.#expire(lifeMs)))
    this.#ping()
    ws.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.#emit(binaryRefused())
      else this.#session.receive(data.toString('utf8'))
    })
    ws.on('error', () => ws.terminate())
    ws.on('close', () => {
      for (const timer of this.#timers.splice(0)) timer[Symbol.dispose]()
      this.#session.close()
    })
  }

  get id(): string {
    return this.#session.id
  }

  cut(): void {
    this.#ws.terminate()
  }

  #expire(lifeMs: number): void {
    const message = `Your session hit the maximum duration of ${Math.round(lifeMs / 60_000)} minutes.`
    const error = { type: 'invalid_request_error', code: 'session_expired', message, param: null, event_id: null }
    this.#emit({ type: 'error', error })
    this.#ws.close(1001, message)
  }

  #ping(): void {
    const timer = this.#clock.at(later(this.#clock.now(), ms(PING_MS)), () => {
      this.#timers.splice(this.#timers.indexOf(timer), 1)
      if (this.#ws.readyState !== this.#ws.OPEN) return
      this.#ws.ping(Buffer.alloc(4))
      this.#ping()
    })
    this.#timers.push(timer)
  }

  #emit(event: Loose): void {
    const faults = this.#faults
    if (event.type === 'response.done' && faults.missingUsage !== undefined) {
      event = { ...event, response: { ...(event.response as Loose), usage: null } }
    }
    const { type, ...rest } = event
    const frame = JSON.stringify({ type, event_id: newId('event'), ...rest })
    const wait = (faults.delay ?? 0) + (event.type === 'response.done' ? (faults.lateUsage ?? 0) : 0)
    if (wait === 0) this.#write(frame)
    else this.#timers.push(this.#clock.at(later(this.#clock.now(), ms(wait)), () => this.#write(frame)))
  }

  #write(frame: string): void {
    const faults = this.#faults
    const n = ++this.#sent
    if (this.#ws.readyState !== this.#ws.OPEN) return
    if (faults.stall !== undefined && n > faults.stall) return
    if (faults.drop !== undefined && n > faults.drop) return this.cut()
    if (faults.malformed === n) this.#ws.send('{"type":"response.output_text.delta","delta":')
    else if (faults.oversized === n) {
      this.#ws.send(JSON.stringify({ type: 'response.output_text.delta', delta: 'x'.repeat(4 * 1_024 * 1_024) }))
    } else this.#ws.send(frame)
    if (faults.duplicate !== undefined && n >= faults.duplicate) this.#ws.send(frame)
  }
}

function binaryRefused(): Loose {
  const message = 'Binary messages are not supported.'
  return {
    type: 'error',
    error: { type: 'invalid_request_error', code: 'invalid_event', message, param: null, event_id: null },
  }
}
