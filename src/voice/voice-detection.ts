import { type ChildProcess, fork } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { between, type Instant, later, ms } from '../units.ts'
import type { FromChild, ToChild } from './child.ts'
import type { VoiceDetection, VoiceDetector, VoiceListener, VoiceOptions } from './detector.ts'

/** Audio of all callers is handed over together this often, ms. */
const BATCH_MS = ms(20)
/** Base64 bytes that may wait to be handed over, or to be dealt with: about two minutes of one caller's audio. */
const MOST_WAITING = 8 * 1_024 * 1_024
/** A verdict that takes longer than this is late: until it comes, silence is not taken for granted, ms. */
const LATE_MS = 500
/** A batch that has grown to this many bytes goes at once. */
const LARGEST_BATCH = 512 * 1_024
/** How long to wait before the process is started again after it died: first, and at most. */
const FIRST_RESTART_MS = 100
const LONGEST_RESTART_MS = 10_000

interface Stream {
  options: VoiceOptions
  listener: VoiceListener
  isSpeaking: boolean
  /** Some of its audio was not listened to. */
  isUnheard: boolean
}

/** What the detection has done, for metrics. */
export interface VoiceCounters {
  /** Base64 bytes not listened to because the detector was behind or away. */
  droppedBytes: number
  restarts: number
}

/**
 * Voice detection for all callers of a node, in one process of its own: the event loop only copies bytes, and a crash of
 * the native detector, which cannot be loaded into two threads of one process either, costs nobody a session. When it
 * falls behind, detection is skipped, never memory spent, and whoever was not heard is told so; when it dies it is started
 * again.
 */
export class IsolatedVoiceDetection implements VoiceDetection {
  readonly counters: VoiceCounters = { droppedBytes: 0, restarts: 0 }
  readonly #clock: Clock
  readonly #log: Log
  readonly #streams = new Map<number, Stream>()
  #nextStream = 1
  #child: ChildProcess | null = null
  #pieces: { stream: number; bytes: Buffer }[] = []
  #gathered = 0
  #posted = 0
  /** When each batch that is still being dealt with was handed over, oldest first. */
  readonly #postedAt: Instant[] = []
  #flush: Disposable | null = null
  #isClosed = false
  #isReady = false
  #deathsInARow = 0
  readonly #firstReady = Promise.withResolvers<void>()

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
    this.#start()
  }

  /** Resolves once the detector listens. */
  get ready(): Promise<void> {
    return this.#firstReady.promise
  }

  detector(options: VoiceOptions, listener: VoiceListener): VoiceDetector {
    const id = this.#nextStream++
    this.#streams.set(id, { options, listener, isSpeaking: false, isUnheard: false })
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
    await this.#end()
  }

  /** Kills the process, as a crash of the native detector would. */
  async crash(): Promise<void> {
    await this.#end()
  }

  #hear(id: number, audio: Buffer): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    if (!this.#isReady || this.#gathered + this.#posted + audio.length > MOST_WAITING) {
      this.counters.droppedBytes += audio.length
      return this.#miss(stream)
    }
    const oldest = this.#postedAt[0]
    if (oldest !== undefined && between(oldest, this.#clock.now()) > LATE_MS) this.#miss(stream)
    this.#pieces.push({ stream: id, bytes: Buffer.from(audio) })
    this.#gathered += audio.length
    if (this.#gathered >= LARGEST_BATCH) this.#send()
    else this.#flush ??= this.#clock.at(later(this.#clock.now(), BATCH_MS), () => this.#send())
  }

  #miss(stream: Stream): void {
    if (!stream.isUnheard) stream.listener.unheard?.(true)
    stream.isUnheard = true
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
    this.#postedAt.push(this.#clock.now())
    this.#gathered = 0
    const streams = Uint32Array.from(pieces, (piece) => piece.stream)
    const lengths = Uint32Array.from(pieces, (piece) => piece.bytes.length)
    this.#post({ type: 'audio', streams, lengths, data })
  }

  #post(message: ToChild): void {
    if (this.#isReady) this.#child?.send(message)
  }

  #start(): void {
    const file = fileURLToPath(new URL(`./child.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url))
    const child = fork(file, { serialization: 'advanced', execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    child.on('message', (message: FromChild) => this.#told(message))
    child.on('error', (error) => this.#log.error({ err: error }, 'voice detector failed'))
    child.on('exit', () => this.#died())
    this.#child = child
    if (child.pid !== undefined) yieldToCalls(child.pid)
  }

  async #end(): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const { promise, resolve } = Promise.withResolvers<void>()
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
    await promise
  }

  #told(message: FromChild): void {
    if (message.type === 'ready') return this.#cameUp()
    if (message.type === 'done') {
      this.#posted -= message.bytes
      this.#postedAt.shift()
      if (this.#posted < LARGEST_BATCH) this.#caughtUp()
      return
    }
    const stream = this.#streams.get(message.stream)
    if (stream === undefined) return
    stream.isSpeaking = message.type === 'started'
    if (stream.isSpeaking) stream.listener.speechStarted(message.atMs)
    else stream.listener.speechStopped(message.atMs)
  }

  #cameUp(): void {
    this.#isReady = true
    // It keeps nobody from exiting; whoever waits for it to be ready is kept.
    this.#child?.unref()
    this.#child?.channel?.unref()
    for (const [id, stream] of this.#streams) this.#post({ type: 'open', stream: id, ...stream.options })
    this.#caughtUp()
    this.#firstReady.resolve()
  }

  #caughtUp(): void {
    this.#deathsInARow = 0
    for (const stream of this.#streams.values()) {
      if (!stream.isUnheard) continue
      stream.isUnheard = false
      if (!stream.isSpeaking) stream.listener.unheard?.(false)
    }
  }

  /** Whoever was speaking is taken to have stopped; the next word starts a new utterance. */
  #died(): void {
    if (this.#isClosed) return
    this.#isReady = false
    this.#pieces = []
    this.#gathered = 0
    this.#posted = 0
    this.#postedAt.length = 0
    this.counters.restarts++
    const wait = ms(Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** this.#deathsInARow++))
    this.#log.warn({ restarts: this.counters.restarts, inMs: wait }, 'voice detector starts again')
    for (const stream of this.#streams.values()) {
      if (stream.isSpeaking) stream.listener.speechStopped(0)
      stream.isSpeaking = false
    }
    this.#clock.at(later(this.#clock.now(), wait), () => {
      if (!this.#isClosed) this.#start()
    })
  }
}

/** Where cores are short the frames come first: what is heard late counts as speech. */
function yieldToCalls(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // A system that does not let us has its own way to share its cores.
  }
}
