import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'

/** Where packages put the server's programs; Debian keeps one folder a version. */
const PLACES = [
  '/usr/lib/postgresql/*/bin',
  '/usr/pgsql-*/bin',
  '/opt/homebrew/opt/postgresql*/bin',
  '/usr/local/opt/postgresql*/bin',
  '/usr/libexec/postgresql*',
  '/usr/bin',
  '/usr/local/bin',
]
/** Postgres refuses to run as root: then it runs as this user, whom every system has. */
const NOBODY = 65_534

function programs(): string {
  const found = PLACES.flatMap((place) => globSync(place)).filter((folder) => existsSync(join(folder, 'initdb')))
  const best = found.toSorted((a, b) => Number(/\d+/.exec(b)?.[0] ?? 0) - Number(/\d+/.exec(a)?.[0] ?? 0))[0]
  if (best === undefined) throw new Error('no Postgres on this machine: node scripts/setup.mjs --test brings it')
  return best
}

/** A Postgres server of its own on a unix socket in a temporary folder. */
export class Postgres implements AsyncDisposable {
  readonly #folder: string
  readonly #child: ChildProcess

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder
    this.#child = child
  }

  static async start(): Promise<Postgres> {
    const bin = programs()
    // Not below TMPDIR: its folders may be closed to the user that the server runs as, and a socket's path must be short.
    const folder = mkdtempSync('/tmp/parley-pg-')
    const isRoot = process.getuid?.() === 0
    const as = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
    if (isRoot) chownSync(folder, NOBODY, NOBODY)
    const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
    const data = join(folder, 'data')
    const options = { ...as, env, cwd: folder }
    execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'parley', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
      ...options,
      stdio: 'ignore',
    })
    const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'shared_buffers=16MB', 'fsync=off']
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
    const child = spawn(join(bin, 'postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('ready to accept connections')) resolve()
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`postgres ended (${code}): ${said.slice(-500)}`)))
    await promise
    return new Postgres(folder, child)
  }

  /** The address of a new, empty database. */
  database(): string {
    const name = `t${randomUUID().replaceAll('-', '')}`
    const bin = programs()
    const env = { PATH: process.env.PATH, LC_ALL: 'C' }
    execFileSync(join(bin, 'createdb'), ['-h', this.#folder, '-U', 'parley', name], { env, cwd: '/', stdio: 'ignore' })
    return `postgres://parley@/${name}?host=${encodeURIComponent(this.#folder)}`
  }

  /** A bare connection to its socket, to see whether anybody listens. */
  ping(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const socket = createConnection(join(this.#folder, '.s.PGSQL.5432'))
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    return promise.finally(() => socket.destroy())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#child.once('exit', () => resolve())
      this.#child.kill('SIGINT')
      await promise
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
