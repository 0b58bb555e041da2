import { type ChildProcess, fork } from 'node:child_process'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../src/clock.ts'
import { FaultError } from '../../src/faults.ts'
import type { OnProgress } from '../../src/media/media-tools.ts'
import { type Bytes, later, type Ms } from '../../src/units.ts'
import type { FromToolProcess, ToToolProcess } from './messages.ts'
import { ENVIRONMENT, nodeFlags } from './pool-process-settings.ts'

/** Work on media gives way to calls and to the API on the same machine. */
const NICENESS = 10
/** Private address space that Node reserves before it does anything, bytes (measured: 574 MB on Linux x64, Node 24). */
const RESERVED = 600 * 1_024 * 1_024

/**
 * One process of the pool, seen from its owner. It leads a process group, so that ending it ends every ffmpeg it has
 * started; it is given no environment but PATH, so that a file that takes it over finds no keys.
 */
export class ToolProcess {
  /** Tasks done so far, and memory after the last one, bytes. */
  tasks = 0
  rss = 0
  readonly #process: ChildProcess
  readonly #exited = Promise.withResolvers<void>()
  #isReady = false
  #isEnding = false
  #onMessage: ((message: FromToolProcess) => void) | null = null
  #onExit: (() => void) | null = null

  /** `tasks`: the module that exports TASKS. `memory`: what it may take beyond the code, bytes. */
  constructor(tasks: URL, prlimit: string | null, memory: Bytes, path: string | undefined) {
    const script = `./tool-child.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`
    const node = [process.execPath, ...nodeFlags(memory)]
    const limited = prlimit === null ? node : [prlimit, `--data=${RESERVED + memory}`, '--core=0', '--', ...node]
    this.#process = fork(fileURLToPath(new URL(script, import.meta.url)), [tasks.href], {
      execPath: limited[0] as string,
      execArgv: limited.slice(1),
      env: path === undefined ? ENVIRONMENT : { PATH: path, ...ENVIRONMENT },
      serialization: 'advanced',
      detached: true,
      // What a library prints about a file may be part of the file.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.#process.on('message', (message: FromToolProcess) => {
      if (message.type === 'ready') this.#isReady = true
      else this.#onMessage?.(message)
    })
    // What could not be started has no exit.
    this.#process.on('error', () => this.#gone())
    this.#process.on('exit', () => this.#gone())
    if (this.#process.pid !== undefined) giveWay(this.#process.pid)
    this.#rest()
  }

  get isAlive(): boolean {
    return !this.#isEnding
  }

  /** Runs one task. Aborting it, and silence for longer than `quiet`, end the process. */
  async run(
    message: ToToolProcess,
    quiet: Ms,
    clock: Clock,
    signal: AbortSignal,
    on: OnProgress | undefined,
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const giveUp = (why: unknown) => {
      reject(why)
      this.#kill()
    }
    const abort = () => giveUp(signal.reason)
    const hang = () => giveUp(new FaultError('media_too_heavy', 'The file takes too long to work on.'))
    let alarm = clock.at(later(clock.now(), quiet), hang)
    this.#onMessage = (told) => {
      if (told.type === 'ready') return
      if (told.type === 'progress') {
        alarm[Symbol.dispose]()
        alarm = clock.at(later(clock.now(), quiet), hang)
        return on?.(told.done, told.total)
      }
      this.tasks++
      this.rss = told.rss
      if (told.type === 'done') resolve(told.output)
      else reject(told.code === null ? new Error(told.message) : new FaultError(told.code, told.message))
    }
    this.#onExit = () => reject(this.#whyGone())
    signal.addEventListener('abort', abort, { once: true })
    this.#process.ref()
    this.#process.channel?.ref()
    try {
      if (signal.aborted) abort()
      else if (this.#isEnding) this.#onExit()
      else this.#process.send(message, undefined, undefined, () => undefined)
      return await promise
    } finally {
      alarm[Symbol.dispose]()
      signal.removeEventListener('abort', abort)
      this.#onMessage = null
      this.#onExit = null
      this.#rest()
    }
  }

  /** Ends it and all it has started. Resolves once it is gone. */
  async end(): Promise<void> {
    this.#process.ref()
    this.#kill()
    await this.#exited.promise
  }

  /** It keeps nobody from exiting while it has nothing to do. */
  #rest(): void {
    this.#process.unref()
    this.#process.channel?.unref()
  }

  #kill(): void {
    this.#isEnding = true
    if (this.#process.pid === undefined) return
    try {
      process.kill(-this.#process.pid, 'SIGKILL')
    } catch {
      // Nobody of the group is left.
    }
  }

  #gone(): void {
    // It may have been killed alone; what it has started goes with it.
    this.#kill()
    this.#onExit?.()
    this.#exited.resolve()
  }

  #whyGone(): Error {
    if (!this.#isReady) return new Error('a process for media could not be started')
    // SIGKILL comes from outside: the file is not to blame, and the same task may well succeed.
    if (this.#process.signalCode === 'SIGKILL') return new Error('a process for media was killed')
    return new FaultError('media_too_heavy', 'The file took more memory than it may, or brought its decoder down.')
  }
}

function giveWay(pid: number): void {
  try {
    setPriority(pid, NICENESS)
  } catch {
    // A system that does not let us has its own way to share its cores.
  }
}
