import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { TempFolder } from './temp-folder.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Parley as `npm start` starts it on a machine that has no policy file. */
export class DemoNode implements AsyncDisposable {
  readonly url: string
  readonly key: string
  readonly #child: ChildProcess
  readonly #folder: TempFolder

  private constructor(url: string, key: string, child: ChildProcess, folder: TempFolder) {
    this.url = url
    this.key = key
    this.#child = child
    this.#folder = folder
  }

  static async start(): Promise<DemoNode> {
    const folder = new TempFolder()
    const env = { PATH: process.env.PATH, HOME: folder.path, PORT: '0', LOG_LEVEL: 'silent' }
    const child = spawn(process.execPath, [MAIN], { cwd: folder.path, env, stdio: ['ignore', 'pipe', 'inherit'] })
    const { promise, resolve, reject } = Promise.withResolvers<DemoNode>()
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
      const url = /(http:\/\/\S+)\/v1\/realtime/.exec(output)?.[1]
      const key = /Demo key\s+(\S+)/.exec(output)?.[1]
      if (url !== undefined && key !== undefined) resolve(new DemoNode(url, key, child, folder))
    })
    child.once('exit', () => reject(new Error(`ended at once: ${output}`)))
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exit
    this.#folder[Symbol.dispose]()
  }
}
