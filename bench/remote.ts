import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** The methods of a service, as they are called from another process. */
export type Calls<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never
}

/** A helper process, spoken to by calling it. Ends with the process that started it. */
export class Remote<T extends object> implements AsyncDisposable {
  readonly calls: Calls<T>
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #next = 0

  constructor(file: URL) {
    this.#child = fork(file, { serialization: 'advanced' })
    this.#child.on('message', (answer) => this.#answered(answer as Answer))
    this.#child.on('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file.pathname} exited with ${code}`))
      this.#waiting.clear()
    })
    // Every property is a call; `T` says which there are and what they take.
    this.calls = new Proxy({} as Calls<T>, {
      get: (_target, name) => (argument: unknown) => this.#call(String(name), argument),
    })
  }

  get pid(): number {
    return this.#child.pid as number
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill()
    await exit
  }

  #call(name: string, argument: unknown): Promise<unknown> {
    const id = this.#next++
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#child.send({ id, name, argument } satisfies Call)
    return waiting.promise
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.error === null) waiting?.resolve(answer.value)
    else waiting?.reject(new Error(answer.error))
  }
}

interface Call {
  id: number
  name: string
  argument: unknown
}

interface Answer {
  id: number
  value: unknown
  /** What went wrong; null for nothing. */
  error: string | null
}

/** In the helper process: `service`'s methods are what the other side calls. */
export function answerCalls<T extends object>(service: T): void {
  const methods = service as unknown as Record<string, (argument: unknown) => unknown>
  process.on('message', (message) => {
    const { id, name, argument } = message as Call
    const answer = async () => methods[name]?.(argument)
    answer().then(
      (value) => process.send?.({ id, value, error: null } satisfies Answer),
      (error: unknown) => process.send?.({ id, value: null, error: String(error) } satisfies Answer),
    )
  })
  process.on('disconnect', () => process.exit())
}
