import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { systemClock } from '../../src/clock.ts'
import { FaultError } from '../../src/faults.ts'
import { type Bytes, later, type Ms, ms } from '../../src/units.ts'
import type { ToolContext } from './tool-settings.ts'

/** What one run of ffmpeg may take. */
export interface FfmpegLimits {
  readonly wall: Ms
  /** Private memory, bytes. */
  readonly memory: Bytes
  /** Bytes it may write to stdout: hours of silence hide in a few kilobytes. */
  readonly output: number
}

export interface FfmpegEnd {
  /** 0 when all went well; null when a signal ended it. */
  readonly code: number | null
  /** Its last words, at most 16 KiB. They may quote the file: for decisions, never for logs or callers. */
  readonly words: string
}

const MOST_WORDS = 16 * 1_024
/** From SIGTERM to SIGKILL. */
const GRACE = ms(1_000)

/**
 * One run of ffmpeg. It stays in the process group of whoever started it, so that it ends with it, and is ended by SIGTERM,
 * then SIGKILL, when it takes too long or is disposed of.
 */
export class FfmpegProcess implements AsyncDisposable {
  readonly #stdin: Writable
  readonly #child: ChildProcess
  readonly #output: number
  readonly #alarm: Disposable
  readonly #end = Promise.withResolvers<FfmpegEnd>()
  #words = ''
  #isTooSlow = false
  #kill: Disposable | null = null

  constructor(tools: Pick<ToolContext, 'ffmpeg' | 'prlimit'>, args: readonly string[], limits: FfmpegLimits) {
    const { ffmpeg, prlimit } = tools
    const limited = prlimit === null ? [ffmpeg] : [prlimit, `--data=${limits.memory}`, '--core=0', '--', ffmpeg]
    const child = spawn(limited[0] as string, [...limited.slice(1), ...args], { env: {}, stdio: 'pipe' })
    this.#child = child
    this.#output = limits.output
    this.#stdin = child.stdin
    // A process that ended before it read everything says why by its exit.
    child.stdin.on('error', () => undefined)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-MOST_WORDS)
    })
    child.on('error', (error) => this.#end.reject(error))
    child.on('close', (code) => this.#end.resolve({ code, words: this.#words }))
    this.#end.promise.catch(() => undefined)
    this.#alarm = systemClock.at(later(systemClock.now(), limits.wall), () => {
      this.#isTooSlow = true
      this.#stop()
    })
  }

  /** Hands something over to its stdin. Resolves once more may follow, or once it is gone and its end tells why. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#stdin.write(chunk)) return
    const drained = Promise.withResolvers<void>()
    this.#stdin.once('drain', () => drained.resolve())
    await Promise.race([drained.promise, this.#end.promise.catch(() => undefined)])
  }

  /** Nothing more follows: ends its stdin and gives its end. */
  finish(): Promise<FfmpegEnd> {
    this.#stdin.end()
    return this.end()
  }

  /** How it ended. Rejects with `media_too_heavy` where it took too long or more memory than it may. */
  async end(): Promise<FfmpegEnd> {
    // Nobody reads what is left, and a full pipe must not keep it from ending.
    this.#stdout.resume()
    const end = await this.#end.promise
    this.#alarm[Symbol.dispose]()
    this.#kill?.[Symbol.dispose]()
    if (this.#isTooSlow) throw new FaultError('media_too_heavy', 'The file takes too long to decode.')
    if (end.code === null || OUT_OF_MEMORY.test(end.words)) {
      throw new FaultError('media_too_heavy', 'The file takes more memory to decode than it may.')
    }
    return end
  }

  /**
   * Everything it writes, as it comes, then its end. Throws `media_too_long` where it writes more than it may, and
   * `media_corrupt` where it fails without having written anything.
   */
  async *output(): AsyncGenerator<Buffer> {
    let bytes = 0
    for await (const chunk of this.#stdout as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > this.#output) throw new FaultError('media_too_long', 'The recording is longer than is taken.')
      yield chunk
    }
    const { code } = await this.end()
    // A file that breaks off is as good as what came before.
    if (code !== 0 && bytes === 0) throw new FaultError('media_corrupt', 'The file cannot be decoded.')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop()
    this.#stdout.resume()
    await this.#end.promise.catch(() => undefined)
    this.#alarm[Symbol.dispose]()
    this.#kill?.[Symbol.dispose]()
  }

  get #stdout(): Readable {
    return this.#child.stdout as Readable
  }

  #stop(): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    this.#kill ??= systemClock.at(later(systemClock.now(), GRACE), () => this.#child.kill('SIGKILL'))
  }
}

const OUT_OF_MEMORY = /Cannot allocate memory|Out of memory|out of memory/
