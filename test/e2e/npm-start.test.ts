import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { eventually } from '../support/eventually.ts'
import { NodeProcess } from '../support/node-process.ts'
import { demo } from '../support/parley.ts'
import { PrivateRedis } from '../support/private-redis.ts'
import { startProvider } from '../support/provider.ts'
import { TempFolder } from '../support/temp-folder.ts'

const cwd = fileURLToPath(new URL('../..', import.meta.url))

/** `npm start` in a group of its own, as a terminal would have it. */
class Npm implements Disposable {
  readonly child: ChildProcess
  readonly exited: Promise<unknown>
  url = ''
  output = ''
  readonly #folder = new TempFolder()

  private constructor() {
    const { path } = this.#folder
    const settings = {
      HOME: path,
      PARLEY_DATA_DIR: path,
      PORT: '0',
      LOG_LEVEL: 'info',
      npm_config_update_notifier: 'false',
    }
    const env = { ...npmSettings(), PATH: process.env.PATH, ...settings }
    this.child = spawn('npm', ['start'], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    this.exited = once(this.child, 'exit')
  }

  static async start(): Promise<Npm> {
    const npm = new Npm()
    const { promise, resolve, reject } = Promise.withResolvers<Npm>()
    npm.child.stdout?.on('data', (chunk: Buffer) => {
      npm.output += chunk.toString('utf8')
      npm.url = /(http:\/\/\S+)\/console/.exec(npm.output)?.[1] ?? ''
      if (npm.url !== '') resolve(npm)
    })
    void npm.exited.then(() => reject(new Error(`ended at once: ${npm.output}`)))
    return promise
  }

  /** Whatever of it is still there, so that a failure leaves nothing running. */
  [Symbol.dispose](): void {
    try {
      process.kill(-(this.child.pid as number), 'SIGKILL')
    } catch {
      // Nothing is.
    }
    this.#folder[Symbol.dispose]()
  }
}

test('R1 what ends npm ends Parley, too: nothing is left that goes on serving', async () => {
  using npm = await Npm.start()
  expect((await fetch(`${npm.url}/readyz`)).status).toBe(200)
  npm.child.kill('SIGTERM')
  await npm.exited
  await eventually(() => expect(fetch(`${npm.url}/readyz`)).rejects.toThrow('fetch failed'), 10_000)
})

test('S7 Ctrl-C reaches npm and Parley and is passed on from one to the other: it is one signal', async () => {
  using npm = await Npm.start()
  process.kill(-(npm.child.pid as number), 'SIGINT')
  await npm.exited
  await eventually(() => expect(fetch(`${npm.url}/readyz`)).rejects.toThrow('fetch failed'), 10_000)
  expect(npm.output).toContain('"draining"')
  expect(npm.output).not.toContain('second signal')
})

test('S7 a second signal ends at once what a first one lets finish', async () => {
  await using stack = new AsyncDisposableStack()
  const redis = stack.use(await PrivateRedis.start())
  const provider = await startProvider(stack)
  const policy = { plans: { default: {} }, drain: { deadline: '5m' as const } }
  const node = await NodeProcess.start({ provider: provider.baseUrl, redis: redis.url, policy }, stack)
  using caller = await Caller.connect(node.door('model=gpt-realtime'), demo.key)
  void caller.ask('speak for 60 s').catch(() => undefined)
  await caller.next('response.output_audio.delta')
  node.kill('SIGTERM')
  await eventually(async () => expect((await fetch(`${node.url}/readyz`)).status).toBe(503), 10_000)
  await eventually(() => expect(node.kill('SIGTERM')).toBe(false), 10_000)
  expect((await caller.closed()).code).toBe(1001)
  expect(caller.of('response.done')).toEqual([])
})

/** How npm reaches its registry, should set-up have anything to bring. */
function npmSettings(): NodeJS.ProcessEnv {
  const isSetting = ([name]: [string, unknown]) => /^(NODE_EXTRA_CA_CERTS|npm_config_\w+|https?_proxy)$/i.test(name)
  return Object.fromEntries(Object.entries(process.env).filter(isSetting))
}
