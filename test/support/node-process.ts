import { type ChildProcess, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import type { PolicyInput } from '../../src/config/schema.ts'
import type { SessionView } from '../../src/http/sessions.ts'
import { eventually } from './eventually.ts'
import { admin, policy, TempFolder } from './parley.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface NodeOptions {
  /** Base URL of the provider. */
  provider: string
  /** Redis URL; the node brings its own when left out. */
  redis?: string
  policy?: Partial<PolicyInput>
  /** `broker`: without workers. */
  only?: 'broker'
  /** A folder to keep between two lives of a node; a fresh one when left out. */
  folder?: TempFolder
}

/** How a process ended. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
  /** `performance.now()`. */
  at: number
}

/** A real Parley node as a child process, as an operator starts it. */
export class NodeProcess implements AsyncDisposable {
  /** `http://127.0.0.1:…` */
  url = ''
  /** Lines of its log and everything else that it wrote. */
  output = ''
  readonly exited: Promise<Exit>
  readonly folder: TempFolder
  readonly #child: ChildProcess
  readonly #ownsFolder: boolean

  private constructor(options: NodeOptions) {
    this.folder = options.folder ?? new TempFolder()
    this.#ownsFolder = options.folder === undefined
    const redis = options.redis === undefined ? {} : { redis: { url: options.redis } }
    const changes = { log: { level: 'info' as const }, ...redis, ...options.policy }
    const file = join(this.folder.path, 'parley.yaml')
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(policy(options.provider, join(this.folder.path, 'data'), changes)))
    const args = ['--inspect=127.0.0.1:0', MAIN, ...(options.only === undefined ? [] : ['--only', options.only])]
    const env = { PATH: process.env.PATH, HOME: this.folder.path, PARLEY_CONFIG: file }
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const { promise, resolve } = Promise.withResolvers<Exit>()
    child.once('exit', (code, signal) => resolve({ code, signal, at: performance.now() }))
    this.exited = promise
  }

  /** Resolves once the node says that it runs and calls itself ready. It is the stack's from its first moment on. */
  static async start(options: NodeOptions, stack: AsyncDisposableStack): Promise<NodeProcess> {
    const node = stack.use(new NodeProcess(options))
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const read = (chunk: Buffer) => {
      node.output += chunk.toString('utf8')
      const url = /Parley is running\.\s+(http:\/\/\S+)\/v1\/realtime/.exec(node.output)?.[1]
      if (url !== undefined) resolve(url)
    }
    node.#child.stdout?.on('data', read)
    node.#child.stderr?.on('data', read)
    void node.exited.then(() => reject(new Error(`the node ended at once: ${node.output}`)))
    node.url = await promise
    await eventually(async () => {
      const { status } = await fetch(`${node.url}/readyz`)
      if (status !== 200) throw new Error(`the node runs but is not ready: ${node.output}`)
    }, 5_000)
    return node
  }

  /** Whether there was still somebody to tell. */
  kill(signal: NodeJS.Signals): boolean {
    return this.#child.kill(signal)
  }

  /** The live door with its query. */
  door(query = 'model=gpt-realtime'): string {
    return `${this.url.replace('http', 'ws')}/v1/realtime?${query}`
  }

  /** Sessions of all nodes, as the operator sees them. */
  async sessions(): Promise<SessionView[]> {
    return ((await this.#get('/v1/sessions?limit=1000')) as { data: SessionView[] }).data
  }

  async session(id: string): Promise<SessionView> {
    return (await this.#get(`/v1/sessions/${id}`)) as SessionView
  }

  /** Sessions by the gauge, all phases together. */
  gauge(): Promise<number> {
    return this.count('parley_sessions')
  }

  /** A metric, summed over its labels. Throws when one is below zero. */
  async count(metric: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    const values = [...text.matchAll(new RegExp(`^${metric}\\{.*\\} (-?\\d+)$`, 'gm'))].map((match) => Number(match[1]))
    if (values.some((value) => value < 0)) throw new Error(`a metric below zero: ${text}`)
    return values.reduce((sum, value) => sum + value, 0)
  }

  /** Sockets that the process holds, of every kind. */
  sockets(): number {
    const folder = `/proc/${this.#child.pid}/fd`
    return readdirSync(folder).filter((fd) => isSocket(join(folder, fd))).length
  }

  /** Memory that is still needed once the collector has been round, inside and outside its heap, bytes. */
  async memory(): Promise<number> {
    const address = /Debugger listening on (ws:\S+)/.exec(this.output)?.[1]
    using inspector = new Inspector(String(address))
    await inspector.ask('HeapProfiler.collectGarbage')
    const expression = 'process.memoryUsage().heapUsed + process.memoryUsage().external'
    const { result } = await inspector.ask('Runtime.evaluate', { expression })
    return Number((result as { value: unknown }).value)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await this.exited
    }
    if (this.#ownsFolder) this.folder[Symbol.dispose]()
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, { headers: { Authorization: `Bearer ${admin.key}` } })
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`)
    return response.json()
  }
}

/** Asks the engine of a running process, over its debugging protocol. */
class Inspector implements Disposable {
  readonly #socket: WebSocket
  #asked = 0

  constructor(url: string) {
    this.#socket = new WebSocket(url)
  }

  async ask(method: string, params: object = {}): Promise<Record<string, unknown>> {
    if (this.#socket.readyState === WebSocket.CONNECTING) await once(this.#socket, 'open')
    const id = ++this.#asked
    this.#socket.send(JSON.stringify({ id, method, params }))
    for await (const [data] of on(this.#socket, 'message')) {
      const answer = JSON.parse(String(data)) as { id?: number; result: Record<string, unknown> }
      if (answer.id === id) return answer.result
    }
    throw new Error('unreachable')
  }

  [Symbol.dispose](): void {
    this.#socket.terminate()
  }
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:')
  } catch {
    // Closed between the listing and the look.
    return false
  }
}
