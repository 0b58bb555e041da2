import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PolicyInput } from '../../src/config/schema.ts'
import type { SessionView } from '../../src/http/sessions.ts'
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
    const args = options.only === undefined ? [MAIN] : [MAIN, '--only', options.only]
    const env = { PATH: process.env.PATH, HOME: this.folder.path, PARLEY_CONFIG: file }
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const { promise, resolve } = Promise.withResolvers<Exit>()
    child.once('exit', (code, signal) => resolve({ code, signal, at: performance.now() }))
    this.exited = promise
  }

  /** Resolves once the node says that it runs and calls itself ready. */
  static async start(options: NodeOptions): Promise<NodeProcess> {
    const node = new NodeProcess(options)
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
    if ((await fetch(`${node.url}/readyz`)).status !== 200) throw new Error('the node runs but is not ready')
    return node
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
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

  /** Sum of the gauge over all phases. */
  async gauge(): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    const values = [...text.matchAll(/^parley_sessions\{.*\} (-?\d+)$/gm)].map((match) => Number(match[1]))
    if (values.some((value) => value < 0)) throw new Error(`a gauge below zero: ${text}`)
    return values.reduce((sum, value) => sum + value, 0)
  }

  /** Sockets that the process holds, of every kind. */
  sockets(): number {
    const folder = `/proc/${this.#child.pid}/fd`
    return readdirSync(folder).filter((fd) => isSocket(join(folder, fd))).length
  }

  /** Resident memory, bytes. */
  memory(): number {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1]
    return Number(kib) * 1_024
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

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:')
  } catch {
    // Closed between the listing and the look.
    return false
  }
}
