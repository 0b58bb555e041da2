import { once } from 'node:events'
import { type ClientOptions, WebSocket } from 'ws'

export type Event = Record<string, unknown> & { type: string }

/** A frame that is no event is kept as one of type `(broken)`. */
function read(frame: string): Event {
  try {
    const value = JSON.parse(frame) as Event
    return typeof value === 'object' && !Array.isArray(value) ? value : { type: '(broken)' }
  } catch {
    return { type: '(broken)' }
  }
}

/** A plain WebSocket client that remembers everything it was sent. */
export class Caller implements Disposable {
  readonly socket: WebSocket
  readonly events: Event[] = []
  /** When each event came, `performance.now()`. */
  readonly times: number[] = []
  /** Frames as they came. */
  readonly frames: string[] = []
  closure: { code: number; reason: string; at: number } | null = null
  #wake = Promise.withResolvers<void>()

  constructor(url: string, key: string, options: ClientOptions & { protocols?: string[] } = {}) {
    const { protocols, ...rest } = options
    const headers = { ...(key === '' ? {} : { Authorization: `Bearer ${key}` }), ...rest.headers }
    this.socket = new WebSocket(url, protocols ?? [], { ...rest, headers })
    this.socket.on('message', (data) => {
      const frame = data.toString()
      this.frames.push(frame)
      this.events.push(read(frame))
      this.times.push(performance.now())
      this.#notice()
    })
    this.socket.on('close', (code, reason) => {
      this.closure = { code, reason: reason.toString(), at: performance.now() }
      this.#notice()
    })
    this.socket.on('error', () => undefined)
  }

  /** Resolves once `session.created` is there. */
  static async connect(url: string, key: string, options?: ClientOptions & { protocols?: string[] }): Promise<Caller> {
    const caller = new Caller(url, key, options)
    await caller.next('session.created')
    return caller
  }

  send(event: object | string): void {
    this.socket.send(typeof event === 'string' ? event : JSON.stringify(event))
  }

  /** Sends audio (24 kHz PCM16) as fast as it goes, in pieces of 100 ms. */
  speak(pcm: Buffer, step = 4_800): void {
    for (let at = 0; at < pcm.length; at += step) {
      this.send({ type: 'input_audio_buffer.append', audio: pcm.subarray(at, at + step).toString('base64') })
    }
  }

  of(type: string): Event[] {
    return this.events.filter((event) => event.type === type)
  }

  /** The first event of this type from index `from` on; waits for it. Throws when the connection closes before. */
  async next(type: string, from = 0): Promise<Event> {
    return this.until((event) => event.type === type, from, type)
  }

  async until(wanted: (event: Event) => boolean, from = 0, what = 'the event'): Promise<Event> {
    for (let seen = from; ; ) {
      for (; seen < this.events.length; seen++) {
        const event = this.events[seen] as Event
        if (wanted(event)) return event
      }
      if (this.closure !== null) {
        const types = this.events.map((event) => event.type).join(' ')
        throw new Error(`closed (${this.closure.code} ${this.closure.reason}) before ${what}; got: ${types}`)
      }
      await this.#wake.promise
    }
  }

  async closed(): Promise<{ code: number; reason: string; at: number }> {
    while (this.closure === null) await this.#wake.promise
    return this.closure
  }

  async opened(): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open')
  }

  /** A text turn and its answer. */
  async ask(text: string): Promise<Event> {
    const from = this.events.length
    this.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
    })
    this.send({ type: 'response.create' })
    return this.next('response.done', from)
  }

  /** Cuts the line without a close frame, as a lost network does. */
  vanish(): void {
    this.socket.terminate()
  }

  [Symbol.dispose](): void {
    this.socket.terminate()
  }

  #notice(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }
}
