import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { keys } from '../../src/store/keys.ts'
import { TempFolder } from './parley.ts'

/** A Redis of the test's own, on a unix socket, that can be frozen, killed and started again with what it had. */
export class PrivateRedis implements AsyncDisposable {
  readonly #folder = new TempFolder()
  readonly #settings: readonly string[]
  #child: ChildProcess | null = null

  private constructor(settings: readonly string[]) {
    this.#settings = settings
  }

  /** `settings`: more of the server's own options. */
  static async start(settings: readonly string[] = []): Promise<PrivateRedis> {
    const redis = new PrivateRedis(settings)
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
    const child = spawn('redis-server', [...settings, ...this.#settings], { stdio: ['ignore', 'pipe', 'ignore'] })
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
  unended(): Promise<string[]> {
    return this.#look(async (redis) => {
      const ids: string[] = []
      for (const key of await redis.keys('parley:session:*')) {
        if ((await redis.hget(key, 'phase')) !== 'ended') ids.push(/\{(.*)\}/.exec(key)?.[1] ?? key)
      }
      return ids.sort()
    })
  }

  /** SHA-256 of the token with which a session can be resumed at any node. */
  tokenHash(sessionId: string): Promise<string | null> {
    return this.#look((redis) => redis.hget(keys.session(sessionId), 'resume'))
  }

  /** How often the workers have looked for sessions of dead nodes since then, epoch ms. */
  sweepsSince(since: number): Promise<number> {
    return this.#look((redis) => redis.zcount('bull:parley-chores:completed', since, '+inf'))
  }

  async #look<T>(read: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis({ path: this.#socket })
    try {
      return await read(redis)
    } finally {
      redis.disconnect()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    this.#folder[Symbol.dispose]()
  }
}
