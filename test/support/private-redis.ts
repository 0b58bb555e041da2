import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { TempFolder } from './parley.ts'

/** A Redis of the test's own, on a unix socket, that can be frozen, killed and started again with what it had. */
export class PrivateRedis implements AsyncDisposable {
  readonly #folder = new TempFolder()
  #child: ChildProcess | null = null

  static async start(): Promise<PrivateRedis> {
    const redis = new PrivateRedis()
    await redis.start()
    return redis
  }

  get url(): string {
    return `unix:${this.#socket}`
  }

  get #socket(): string {
    return `${this.#folder.path}/redis.sock`
  }

  /** Resolves once it answers. */
  async start(): Promise<void> {
    const settings = ['--port', '0', '--unixsocket', this.#socket, '--dir', this.#folder.path, '--appendonly', 'yes']
    const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#child = child
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      if (chunk.toString().includes('eady to accept connections')) break
    }
  }

  /** It keeps its connections and says nothing. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null) return
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  /** Ids of all sessions whose records say that they have not ended, whoever lists them or not. */
  async unended(): Promise<string[]> {
    const redis = new Redis({ path: this.#socket })
    try {
      const ids: string[] = []
      for (const key of await redis.keys('parley:session:*')) {
        if ((await redis.hget(key, 'phase')) !== 'ended') ids.push(/\{(.*)\}/.exec(key)?.[1] ?? key)
      }
      return ids.sort()
    } finally {
      redis.disconnect()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    this.#folder[Symbol.dispose]()
  }
}
