import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.ts'
import { later, ms } from '../units.ts'
import { closePayload, FrameError, MASKED, makeFrame, maskInPlace, OPCODE, readClose } from './frame.ts'
import { FrameReader, type ReaderBounds, type Received } from './frame-reader.ts'
import type { Message, Peer, PeerListener } from './peer.ts'

export interface SocketPeerOptions {
  /** What this side of the connection is: a server answers callers, a client dials providers. */
  role: 'server' | 'client'
  bounds: ReaderBounds
  clock: Clock
  /** Bytes that came with the handshake and belong to the first frames. */
  head: Buffer
}

/** A close that is not answered within this time becomes a cut. */
const CLOSE_TIMEOUT = ms(3_000)
/** With this much waiting a ping is not answered, bytes: who floods pings and reads nothing gets nothing. */
const MOST_BEFORE_PONG = 16 * 1_024
/** What the other side may still send once it has been told to close, bytes: what was on its way. */
const MOST_AFTER_GOODBYE = 1_024 * 1_024
const PING = Buffer.from('parley')

/**
 * Frees what was read from a socket, where nobody has kept a part of it. It lies outside V8's heap, and only a collection
 * frees it, which small objects bring about: a flood that is read and dropped would fill tens of megabytes between two.
 */
function giveUp({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0)
}

/** Peers that have something to send because of what is being handed out just now; null while nothing is. */
let stirred: SocketPeer[] | null = null

const flush = (peer: SocketPeer) => peer.flush()
const goOn = (peer: SocketPeer) => peer.goOn()

/**
 * A Peer over a socket after its WebSocket handshake. Frames pass as they lie: what came in one read is handed out without
 * a copy, and what is sent within one turn of the event loop, or because of one read, leaves in one write.
 */
export class SocketPeer implements Peer {
  readonly #socket: Duplex
  readonly #reader: FrameReader
  readonly #clock: Clock
  readonly #isClient: boolean
  #listener: PeerListener | null = null
  #isPaused = true
  /** Frames to be written at the end of this turn, or of the read that brings them: mostly one, and those behind it. */
  #first: Buffer | null = null
  #behind: Buffer[] | null = null
  #batchBytes = 0
  /** More was waiting than the socket's own buffer holds; its end is to be told. */
  #wasFull = false
  #isClosing = false
  /** Bytes that may still come; null while there is no such bound, and messages may be kept. */
  #left: number | null = null
  /** What the other side's close frame said. */
  #closure: { code: number; reason: string } | null = null
  #closeTimer: Disposable | null = null
  #isOver = false

  constructor(socket: Duplex, { role, bounds, clock, head }: SocketPeerOptions) {
    this.#socket = socket
    this.#isClient = role === 'client'
    this.#reader = new FrameReader(this.#isClient ? 'server' : 'client', bounds)
    this.#clock = clock
    if (head.length > 0) socket.unshift(head)
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk))
    socket.pause()
    socket.on('drain', () => this.#drained())
    socket.on('end', () => socket.end())
    // A broken line ends in 'close', which is where it is told.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#over())
  }

  get backlog(): number {
    return this.#socket.writableLength + this.#batchBytes
  }

  get isOpen(): boolean {
    return !this.#isClosing && !this.#isOver && !this.#socket.destroyed
  }

  listen(listener: PeerListener): void {
    this.#listener = listener
    if (this.#isOver) listener.closed(this.#closure?.code ?? 1006, this.#closure?.reason ?? '')
  }

  send(text: Buffer | string): void {
    const payload = typeof text === 'string' ? Buffer.from(text, 'utf8') : text
    if (this.isOpen) this.#queue(makeFrame(OPCODE.text, payload, this.#isClient))
  }

  forward(message: Message): void {
    if (!this.isOpen) return
    const { text, frame } = message
    if (frame === null || ((frame[1] as number) & MASKED) !== (this.#isClient ? MASKED : 0)) return this.send(text)
    if (this.#isClient) maskInPlace(frame, text)
    this.#queue(frame)
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    // Never at once: whoever resumes is in the middle of something of its own.
    process.nextTick(goOn, this)
  }

  readOut(most: number): void {
    this.#left = Math.min(this.#left ?? most, most)
    this.#reader.lends = true
  }

  ping(): void {
    if (this.isOpen) this.#queue(makeFrame(OPCODE.ping, PING, this.#isClient))
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return
    this.#sayGoodbye(closePayload(code, reason))
    // What still comes is not delivered, but the answering close frame has to be read.
    this.resume()
  }

  terminate(): void {
    this.#isClosing = true
    this.#socket.destroy()
  }

  // ---- in ----

  #arrived(chunk: Buffer): void {
    // What came before may have been kept, or be on its way out; what comes from now on is nobody's.
    const isNobodys = this.#left !== null
    if (this.#left !== null) {
      this.#left -= chunk.length
      if (this.#left < 0) return void this.#socket.destroy()
    }
    this.#reader.push(chunk)
    this.#walk()
    if (isNobodys && this.#reader.isEmpty) giveUp(chunk)
  }

  /** Hands out what was left when reading was paused, then reads on. */
  goOn(): void {
    if (this.#isPaused || this.#isOver) return
    this.#walk()
    if (!this.#isPaused && this.#reader.isEmpty) this.#socket.resume()
  }

  /** What this brings about at other peers leaves as soon as all of it has been handed out. */
  #walk(): void {
    if (stirred !== null) return this.#handOut()
    const woken: SocketPeer[] = []
    stirred = woken
    try {
      this.#handOut()
    } finally {
      stirred = null
      for (const peer of woken) peer.flush()
    }
  }

  #handOut(): void {
    try {
      while (!this.#isPaused && !this.#socket.destroyed) {
        const received = this.#reader.next()
        if (received === null) break
        this.#received(received)
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#refuse(error)
    }
  }

  #received(received: Received): void {
    switch (received.kind) {
      case 'text':
        if (!this.#isClosing) this.#listener?.message(received)
        return
      case 'binary':
        if (!this.#isClosing) this.#listener?.binary()
        return
      case 'ping':
        this.#listener?.alive(false)
        if (this.isOpen && this.backlog < MOST_BEFORE_PONG) {
          this.#queue(makeFrame(OPCODE.pong, received.payload, this.#isClient))
        }
        return
      case 'pong':
        this.#listener?.alive(true)
        return
      case 'close':
        return this.#closeCame(received.payload)
    }
  }

  #closeCame(payload: Buffer): void {
    if (this.#closure !== null) return
    this.#closure = readClose(payload)
    if (!this.#isClosing) this.#sayGoodbye(payload.subarray(0, 2))
    this.flush()
    // The server closes the line first (RFC 6455, 7.1.1); a client's line ends with it, or with the timer.
    if (!this.#isClient) this.#socket.end()
  }

  /** The other side broke the protocol: it is told why, and nothing more is read. */
  #refuse(error: FrameError): void {
    this.pause()
    this.#closure ??= { code: 1006, reason: error.message }
    if (!this.#isClosing) this.#sayGoodbye(closePayload(error.code, error.message))
    this.flush()
    this.#socket.end()
    this.#socket.resume()
  }

  // ---- out ----

  #queue(frame: Buffer): void {
    if (this.#first === null) {
      this.#first = frame
      if (stirred === null) process.nextTick(flush, this)
      else stirred.push(this)
    } else if (this.#behind === null) this.#behind = [frame]
    else this.#behind.push(frame)
    this.#batchBytes += frame.length
    if (this.#batchBytes > this.#socket.writableHighWaterMark) this.#wasFull = true
  }

  flush(): void {
    const first = this.#first
    const behind = this.#behind
    if (first === null) return
    // What is queued counts as backlog at once, so its end has to be told even where the kernel takes all of it in one go,
    // and the socket has nothing to drain.
    if (this.#batchBytes > this.#socket.writableHighWaterMark) this.#wasFull = true
    this.#first = null
    this.#behind = null
    this.#batchBytes = 0
    if (this.#socket.destroyed) return
    if (behind === null) this.#write(first)
    else this.#writeAll(first, behind)
    // The kernel may have taken a large batch at once; the socket then has no 'drain' to tell.
    if (!this.#socket.writableNeedDrain) this.#drained()
  }

  /** Frames that lie end to end, as those of one read do, are written as one piece. */
  #writeAll(first: Buffer, behind: readonly Buffer[]): void {
    this.#socket.cork()
    let piece = first
    for (const next of behind) {
      if (next.buffer === piece.buffer && next.byteOffset === piece.byteOffset + piece.length) {
        piece = Buffer.from(piece.buffer as ArrayBuffer, piece.byteOffset, piece.length + next.length)
      } else {
        this.#write(piece)
        piece = next
      }
    }
    this.#write(piece)
    this.#socket.uncork()
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.writable) return
    if (!this.#socket.write(bytes)) this.#wasFull = true
  }

  #drained(): void {
    if (!this.#wasFull) return
    this.#wasFull = false
    this.#listener?.drained()
  }

  #sayGoodbye(payload: Buffer): void {
    this.#queue(makeFrame(OPCODE.close, payload, this.#isClient))
    this.#isClosing = true
    // Only the answering close frame is wanted.
    this.readOut(MOST_AFTER_GOODBYE)
    this.#closeTimer ??= this.#clock.at(later(this.#clock.now(), CLOSE_TIMEOUT), () => this.#socket.destroy())
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#closeTimer?.[Symbol.dispose]()
    this.#listener?.closed(this.#closure?.code ?? 1006, this.#closure?.reason ?? '')
  }
}
