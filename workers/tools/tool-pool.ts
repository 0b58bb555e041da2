import type { Clock } from '../../src/clock.ts'
import { FaultError } from '../../src/faults.ts'
import type { OnProgress } from '../../src/media/media-tools.ts'
import { traced } from '../../src/traces/tracer.ts'
import type { Bytes } from '../../src/units.ts'
import { Slots } from './slots.ts'
import type { AnyEntry, InputOf, OutputOf } from './task.ts'
import { ToolProcess } from './tool-process.ts'
import type { ToolContext } from './tool-settings.ts'

/** Tasks after which a process makes room for a fresh one, so that no leak of a library grows for ever. */
const MOST_TASKS = 200
/** Memory after a task above which it does, as a share of what a process may take. */
const MOST_RSS_SHARE = 0.6
/** Tasks that may wait for a process; more come only when jobs are taken faster than they are done. */
const MOST_WAITING = 1_000

export interface PoolOptions {
  readonly processes: number
  /** Each process's private memory, bytes. */
  readonly memory: Bytes
  readonly path: string | undefined
  readonly context: ToolContext
  /** The module that exports `TASKS`, as the processes load it. */
  readonly module: URL
}

/**
 * Child processes for the work on media, started when there is work. A task runs alone in its process; a process that was
 * aborted, hung or died is replaced. `tasks`: the `TASKS` of the module, for their limits.
 */
export class ToolPool<T extends Readonly<Record<string, AnyEntry>>> implements AsyncDisposable {
  readonly #tasks: T
  readonly #options: PoolOptions
  readonly #clock: Clock
  readonly #slots: Slots
  readonly #all = new Set<ToolProcess>()
  readonly #idle: ToolProcess[] = []
  readonly #closing = new AbortController()

  constructor(tasks: T, options: PoolOptions, clock: Clock) {
    this.#tasks = tasks
    this.#options = options
    this.#clock = clock
    this.#slots = new Slots(options.processes, MOST_WAITING)
  }

  /**
   * Runs a task. Rejects with the task's own FaultError; with `media_too_heavy` when it took too much time or memory; with
   * the signal's reason; with `overloaded` when too many wait; with `going_away` once disposed of; with another error when
   * its process was killed, in which case the same task may do better.
   */
  async run<N extends keyof T & string>(
    name: N,
    input: InputOf<T[N]>,
    signal: AbortSignal,
    on?: OnProgress,
  ): Promise<OutputOf<T[N]>> {
    const until = AbortSignal.any([signal, this.#closing.signal])
    const giveBack = await this.#slots.take(until)
    const process = this.#idleProcess() ?? this.#start()
    const { quiet } = this.#tasks[name] as AnyEntry
    try {
      const message = { type: 'run', task: name, input, context: this.#options.context } as const
      const work = () => process.run(message, quiet, this.#clock, until, on)
      return (await traced(`media ${name}`, {}, work)) as OutputOf<T[N]>
    } finally {
      await this.#rest(process)
      giveBack()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new FaultError('going_away', 'This process is about to end.'))
    await Promise.all([...this.#all].map((process) => process.end()))
  }

  #idleProcess(): ToolProcess | null {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isAlive) return idle
      this.#all.delete(idle)
    }
    return null
  }

  #start(): ToolProcess {
    const { context, memory, path, module } = this.#options
    const process = new ToolProcess(module, context.prlimit, memory, path)
    this.#all.add(process)
    return process
  }

  /** Keeps a process for the next task, or sees it off: there are never more than there are slots. */
  async #rest(process: ToolProcess): Promise<void> {
    const isWorn = process.tasks >= MOST_TASKS || process.rss > this.#options.memory * MOST_RSS_SHARE
    if (process.isAlive && !isWorn) return void this.#idle.push(process)
    await process.end()
    this.#all.delete(process)
  }
}
