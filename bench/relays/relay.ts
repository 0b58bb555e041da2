import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Place } from '../wire.ts'

/** One thing between caller and provider, as a process of its own. */
export interface Relay extends AsyncDisposable {
  readonly name: string
  readonly pid: number
  /** Where callers dial. */
  readonly place: Place
  /** Has garbage collected where there is any, so that what is resident is what is held. */
  collect(): Promise<void>
}

export interface RelayKind {
  readonly name: string
  /** Why it cannot run here, in a line to show; null when it can. */
  missing(): string | null
  /** Resolves once it takes connections. */
  start(setting: Setting): Promise<Relay>
}

export interface Setting {
  upstreamPort: number
  /** The relay's own, for whatever it writes. */
  folder: string
  /** Further options of Node for Parley alone, such as `--cpu-prof`. */
  parleyNodeOptions: readonly string[]
}

/** How long a relay may take to start, to collect or to end, ms. */
const PATIENCE_MS = 15_000

export class RelayProcess implements Relay {
  readonly name: string
  readonly place: Place
  readonly #child: ChildProcess
  readonly #atExit = () => this.#child.kill('SIGTERM')

  constructor(name: string, place: Place, child: ChildProcess) {
    this.name = name
    this.place = place
    this.#child = child
    process.on('exit', this.#atExit)
  }

  get pid(): number {
    return this.#child.pid as number
  }

  async collect(): Promise<void> {
    if (this.#child.channel === null || this.#child.channel === undefined) return
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const collected = once(this.#child, 'message', { signal })
    this.#child.send('collect')
    await collected
  }

  /** Resolves once connections are taken. */
  async listening(): Promise<this> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await takesConnections(this.place.port))) {
      if (this.#child.exitCode !== null) throw new Error(`${this.name} ended with ${this.#child.exitCode}`)
      if (performance.now() > deadline) throw new Error(`${this.name} did not start`)
      await pause(50)
    }
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#atExit)
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS)
    await exit
    clearTimeout(timer)
  }
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function takesConnections(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1', () => {
    socket.destroy()
    resolve(true)
  })
  socket.on('error', () => resolve(false))
  return promise
}

/** Options of Node for relays that run on it: memory can be measured after a collection. */
export function nodeOptions(): string[] {
  return ['--expose-gc', '--import', new URL('./collect-on-demand.ts', import.meta.url).href]
}
