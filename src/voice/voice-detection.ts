import { Worker } from 'node:worker_threads'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { later, ms } from '../units.ts'
import type { VoiceDetection, VoiceDetector, VoiceListener, VoiceOptions } from './detector.ts'
import type { FromWorker, ToWorker } from './worker.ts'

/** Audio of all callers is handed over together this often, ms. */
const BATCH_MS = ms(60)
/** Base64 bytes that may wait to be handed over, or to be dealt with: about two minutes of one caller's audio. */
const MOST_WAITING = 8 * 1_024 * 1_024
/** A batch that has grown to this many bytes goes at once. */
const LARGEST_BATCH = 512 * 1_024
/** How long to wait before the thread is started again after it died. */
const RESTART = ms(500)

interface Stream {
  options: VoiceOptions
  listener: VoiceListener
  isSpeaking: boolean
}

/** What the detection has done, for metrics. */
export interface VoiceCounters {
  /** Base64 bytes not looked at because the thread was behind. */
  droppedBytes: number
  restarts: number
}

/**
 * Voice detection for all callers of a node, in one thread of its own: the event loop only copies bytes. When the thread
 * falls behind, detection is skipped, never memory spent; when it dies it is started again.
 */
export class ThreadedVoiceDetection implements VoiceDetection {
  readonly counters: VoiceCounters = { droppedBytes: 0, restarts: 0 }
  readonly #clock: Clock
  readonly #log: Log
  readonly #streams = new Map<number, Stream>()
  #nextStream = 1
  #worker: Worker | null = null
  #pieces: { stream: number; bytes: Buffer }[] = []
  #gathered = 0
  #posted = 0
  #flush: Disposable | null = null
  #isClosed = false

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  detector(options: VoiceOptions, listener: VoiceListener): VoiceDetector {
    const id = this.#nextStream++
    this.#streams.set(id, { options, listener, isSpeaking: false })
    this.#post({ type: 'open', stream: id, ...options })
    return {
      hearBase64: (audio) => this.#hear(id, audio),
      [Symbol.dispose]: () => {
        if (this.#streams.delete(id)) this.#post({ type: 'close', stream: id })
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#flush?.[Symbol.dispose]()
    await this.#worker?.terminate()
  }

  /** Kills the thread, as a crash of the native detector would. */
  async crash(): Promise<void> {
    await this.#worker?.terminate()
  }

  #hear(stream: number, audio: Buffer): void {
    if (!this.#streams.has(stream)) return
    if (this.#gathered + this.#posted + audio.length > MOST_WAITING) {
      this.counters.droppedBytes += audio.length
      return
    }
    this.#pieces.push({ stream, bytes: Buffer.from(audio) })
    this.#gathered += audio.length
    if (this.#gathered >= LARGEST_BATCH) this.#send()
    else this.#flush ??= this.#clock.at(later(this.#clock.now(), BATCH_MS), () => this.#send())
  }

  #send(): void {
    this.#flush?.[Symbol.dispose]()
    this.#flush = null
    const pieces = this.#pieces
    if (pieces.length === 0) return
    this.#pieces = []
    const data = new Uint8Array(this.#gathered)
    let at = 0
    for (const { bytes } of pieces) {
      data.set(bytes, at)
      at += bytes.length
    }
    this.#posted += this.#gathered
    this.#gathered = 0
    const streams = Uint32Array.from(pieces, (piece) => piece.stream)
    const lengths = Uint32Array.from(pieces, (piece) => piece.bytes.length)
    this.#post({ type: 'audio', streams, lengths, data }, [data.buffer])
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (this.#isClosed) return
    this.#worker ??= this.#start()
    this.#worker.postMessage(message, transfer)
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url))
    worker.unref()
    worker.on('message', (message: FromWorker) => this.#told(message))
    worker.on('error', (error) => this.#log.error({ err: error }, 'voice detector failed'))
    worker.on('exit', () => this.#died(worker))
    return worker
  }

  #told(message: FromWorker): void {
    if (message.type === 'done') {
      this.#posted -= message.bytes
      return
    }
    const stream = this.#streams.get(message.stream)
    if (stream === undefined) return
    stream.isSpeaking = message.type === 'started'
    if (stream.isSpeaking) stream.listener.speechStarted(message.atMs)
    else stream.listener.speechStopped(message.atMs)
  }

  /** Whoever was speaking is taken to have stopped; the next word starts a new utterance. */
  #died(worker: Worker): void {
    if (this.#isClosed || worker !== this.#worker) return
    this.#worker = null
    this.#posted = 0
    this.counters.restarts++
    this.#log.warn({ restarts: this.counters.restarts }, 'voice detector starts again')
    this.#clock.at(later(this.#clock.now(), RESTART), () => {
      for (const [id, stream] of this.#streams) {
        this.#post({ type: 'open', stream: id, ...stream.options })
        if (stream.isSpeaking) stream.listener.speechStopped(0)
        stream.isSpeaking = false
      }
    })
  }
}
