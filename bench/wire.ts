import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

/** RFC 6455, 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TEXT = 1
const CLOSE = 8
const PING = 9
const PONG = 10
/** Bytes at the head of a message that a listener is shown. */
const HEAD_BYTES = 512
/** A session that has not begun after this time never will, ms. */
const DIAL_TIMEOUT_MS = 20_000
/** An unanswered close frame becomes a cut after this time, ms. */
const CLOSE_TIMEOUT_MS = 5_000

/** A whole frame; `mask`: four bytes for a client's, null for a server's. */
export function frameOf(opcode: number, payload: Buffer, mask: Buffer | null): Buffer {
  const extended = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8
  const start = 2 + extended + (mask === null ? 0 : 4)
  const frame = Buffer.allocUnsafe(start + payload.length)
  frame[0] = 0x80 | opcode
  frame[1] = (mask === null ? 0 : 0x80) | (extended === 0 ? payload.length : extended === 2 ? 126 : 127)
  if (extended === 2) frame.writeUInt16BE(payload.length, 2)
  else if (extended === 8) frame.writeBigUInt64BE(BigInt(payload.length), 2)
  payload.copy(frame, start)
  if (mask !== null) {
    mask.copy(frame, start - 4)
    for (let i = 0; i < payload.length; i++) frame[start + i] = (payload[i] as number) ^ (mask[i & 3] as number)
  }
  return frame
}

export function textFrame(payload: Buffer, mask: Buffer | null): Buffer {
  return frameOf(TEXT, payload, mask)
}

/**
 * One end of a WebSocket, as cheap as Node allows: frames go out ready-made and come in counted, not copied. So the load
 * and the upstream leave the processor to what is measured. Answers pings and closes; knows no extensions.
 */
export class Line {
  readonly socket: Socket
  /** Whole data messages received. */
  messages = 0
  /** Told of each data message with its first bytes, unmasked; valid during the call. Null: messages are only counted. */
  onMessage: ((head: Buffer) => void) | null = null
  readonly closed: Promise<void>
  readonly #isClient: boolean
  readonly #header = Buffer.alloc(14)
  #headerLength = 0
  #headerNeeded = 2
  /** Payload bytes of the present frame still to come. */
  #left = 0
  #opcode = 0
  #isFinal = false
  #length = 0
  readonly #kept = Buffer.alloc(HEAD_BYTES)
  #keptLength = 0
  #hasClosed = false

  constructor(socket: Socket, isClient: boolean) {
    this.socket = socket
    this.#isClient = isClient
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    socket.once('close', () => resolve())
  }

  sendText(text: string): void {
    this.socket.write(textFrame(Buffer.from(text), this.#isClient ? randomBytes(4) : null))
  }

  /** Closes properly; resolves when the connection is gone. */
  async close(): Promise<void> {
    this.#sendClose()
    this.socket.resume()
    const timer = setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS)
    await this.closed
    clearTimeout(timer)
  }

  /** Takes bytes as they came from the socket. */
  take(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#headerLength < this.#headerNeeded) {
        this.#header[this.#headerLength++] = chunk[at++] as number
        if (this.#headerLength === 2) this.#headerNeeded = this.#sizeOfHeader()
        if (this.#headerLength === this.#headerNeeded) this.#begin()
        continue
      }
      const n = Math.min(this.#left, chunk.length - at)
      if (this.#keptLength < HEAD_BYTES && (this.onMessage !== null || this.#opcode >= CLOSE)) {
        this.#keptLength += chunk.copy(this.#kept, this.#keptLength, at, at + n)
      }
      at += n
      this.#left -= n
      if (this.#left === 0) this.#end()
    }
  }

  #sizeOfHeader(): number {
    const second = this.#header[1] as number
    const length = second & 0x7f
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second & 0x80 ? 4 : 0)
  }

  #begin(): void {
    const header = this.#header
    const length = (header[1] as number) & 0x7f
    this.#isFinal = ((header[0] as number) & 0x80) !== 0
    this.#opcode = (header[0] as number) & 0x0f
    this.#length = length === 126 ? header.readUInt16BE(2) : length === 127 ? Number(header.readBigUInt64BE(2)) : length
    this.#left = this.#length
    this.#keptLength = 0
    if (this.#left === 0) this.#end()
  }

  #end(): void {
    const isMasked = ((this.#header[1] as number) & 0x80) !== 0
    const maskAt = this.#headerNeeded - 4
    this.#headerLength = 0
    this.#headerNeeded = 2
    if (this.#keptLength > 0 && isMasked) {
      for (let i = 0; i < this.#keptLength; i++) {
        this.#kept[i] = (this.#kept[i] as number) ^ (this.#header[maskAt + (i & 3)] as number)
      }
    }
    if (this.#opcode < CLOSE) {
      if (!this.#isFinal) return
      this.messages++
      this.onMessage?.(this.#kept.subarray(0, this.#keptLength))
    } else if (this.#opcode === PING) {
      const payload = this.#kept.subarray(0, this.#keptLength)
      this.socket.write(frameOf(PONG, payload, this.#isClient ? randomBytes(4) : null))
    } else if (this.#opcode === CLOSE) {
      this.#sendClose()
      this.socket.end()
    }
  }

  #sendClose(): void {
    if (this.#hasClosed || !this.socket.writable) return
    this.#hasClosed = true
    this.socket.write(frameOf(CLOSE, Buffer.from([0x03, 0xe8]), this.#isClient ? randomBytes(4) : null))
  }
}

/** Where a client dials: always 127.0.0.1. */
export interface Place {
  port: number
  path: string
  headers: Readonly<Record<string, string>>
}

/** Opens a session; resolves once `session.created` is there. Rejects when it is refused or closed before. */
export function dial(place: Place): Promise<Line> {
  const { promise, resolve, reject } = Promise.withResolvers<Line>()
  const socket = connect({ host: '127.0.0.1', port: place.port })
  const line = new Line(socket, true)
  const headers = Object.entries(place.headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(
    `GET ${place.path} HTTP/1.1\r\nHost: 127.0.0.1:${place.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${headers.join('')}\r\n`,
  )
  const timer = setTimeout(() => socket.destroy(), DIAL_TIMEOUT_MS)
  line.onMessage = (head) => {
    clearTimeout(timer)
    line.onMessage = null
    const first = head.toString('utf8')
    if (first.includes('"session.created"')) return resolve(line)
    reject(new Error(`${place.path} on port ${place.port}: ${first}`))
    socket.destroy()
  }
  void line.closed.then(() => {
    clearTimeout(timer)
    reject(new Error(`${place.path} on port ${place.port}: closed before its first message`))
  })
  afterHttp(socket, line, (http) => {
    if (/^HTTP\/1\.1 101 /.test(http)) return
    reject(new Error(`${place.path} on port ${place.port}: ${http.split('\r\n', 1)[0]}`))
    socket.destroy()
  })
  return promise
}

/** Answers an upgrade on a fresh server socket, then hands over the line. */
export function accept(socket: Socket, then: (line: Line) => void): void {
  const line = new Line(socket, false)
  afterHttp(socket, line, (http) => {
    const key = /^sec-websocket-key: *(\S+)/im.exec(http)?.[1]
    if (key === undefined) return void socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    const answer = createHash('sha1').update(`${key}${GUID}`).digest('base64')
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${answer}\r\n\r\n`,
    )
    then(line)
  })
}

/** Reads one HTTP head, then gives everything behind it to the line. */
function afterHttp(socket: Socket, line: Line, head: (http: string) => void): void {
  let http = Buffer.alloc(0)
  const reading = (chunk: Buffer): void => {
    http = Buffer.concat([http, chunk])
    const end = http.indexOf('\r\n\r\n')
    if (end < 0) return
    socket.off('data', reading)
    socket.on('data', (bytes: Buffer) => line.take(bytes))
    head(http.toString('latin1', 0, end))
    if (end + 4 < http.length) line.take(http.subarray(end + 4))
  }
  socket.on('data', reading)
}
