import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

/** Louder than this is speech, of 32,768: far above what an open microphone gives in silence here. */
export const LOUD = 1_000
/** Bytes of a millisecond: 24 kHz, 16 bit. */
const BYTES_PER_MS = 48
/** Silence after which a turn is over, and the shortest speech that is one, ms of sound. */
const PAUSE_MS = 300
const SHORTEST_MS = 200
/** How long an answer is, ms: a tone, in pieces of 100 ms. */
const ANSWER_MS = 400

/**
 * A provider that does no more than wait for the end of a turn and answer at once, and says of each turn how long it took
 * itself: from the arrival of the last sound of speech until its first piece of answer was sent, ms.
 */
export class Listener implements AsyncDisposable {
  readonly delays: number[] = []
  readonly #server: WebSocketServer
  #wake = Promise.withResolvers<void>()

  private constructor(server: WebSocketServer) {
    this.#server = server
    server.on('connection', (socket) => this.#listen(socket))
  }

  static async start(): Promise<Listener> {
    const listener = new Listener(new WebSocketServer({ port: 0, host: '127.0.0.1' }))
    await once(listener.#server, 'listening')
    return listener
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resolves once so many turns have been answered. */
  async answered(turns: number): Promise<void> {
    while (this.delays.length < turns) await this.#wake.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#server.clients) client.terminate()
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }

  #listen(socket: WebSocket): void {
    let loudMs = 0
    let quietMs = 0
    let lastLoudAt = 0
    socket.send(JSON.stringify(CREATED))
    socket.on('message', (data) => {
      const now = performance.now()
      const event = JSON.parse(data.toString()) as { type: string; audio?: string }
      if (event.type !== 'input_audio_buffer.append') return
      const bytes = Buffer.from(event.audio ?? '', 'base64')
      const length = bytes.length / BYTES_PER_MS
      if (isLoud(bytes)) {
        loudMs += length
        quietMs = 0
        lastLoudAt = now
        return
      }
      quietMs += length
      if (quietMs < PAUSE_MS) return
      if (loudMs >= SHORTEST_MS) this.#answer(socket, lastLoudAt)
      loudMs = 0
    })
  }

  #answer(socket: WebSocket, lastLoudAt: number): void {
    const n = this.delays.length
    const item_id = `item_${n}`
    const events: object[] = [{ type: 'response.created', response: { id: `resp_${n}`, status: 'in_progress' } }]
    for (let at = 0; at < ANSWER_MS; at += 100) {
      const head = { response_id: `resp_${n}`, item_id, output_index: 0, content_index: 0 }
      events.push({ type: 'response.output_audio.delta', ...head, delta: tone(at, at + 100).toString('base64') })
    }
    events.push({ type: 'response.output_audio.done', response_id: `resp_${n}`, item_id })
    const usage = { total_tokens: 2, input_tokens: 1, output_tokens: 1 }
    events.push({ type: 'response.done', response: { id: `resp_${n}`, status: 'completed', output: [], usage } })
    this.delays.push(performance.now() - lastLoudAt)
    for (const event of events) socket.send(JSON.stringify(event))
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }
}

const CREATED = {
  type: 'session.created',
  session: {
    type: 'realtime',
    object: 'realtime.session',
    id: 'sess_bench',
    model: 'gpt-realtime',
    output_modalities: ['audio'],
    audio: {
      input: { format: { type: 'audio/pcm', rate: 24_000 }, turn_detection: { type: 'server_vad' } },
      output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: 'alloy' },
    },
  },
}

function isLoud(bytes: Buffer): boolean {
  for (let at = 0; at + 1 < bytes.length; at += 2) if (Math.abs(bytes.readInt16LE(at)) > LOUD) return true
  return false
}

function tone(fromMs: number, toMs: number): Buffer {
  const out = Buffer.alloc((toMs - fromMs) * BYTES_PER_MS)
  for (let i = 0; i < out.length / 2; i++) {
    const t = fromMs / 1_000 + i / 24_000
    out.writeInt16LE(Math.round(8_000 * Math.cos(2 * Math.PI * 440 * t)), i * 2)
  }
  return out
}
