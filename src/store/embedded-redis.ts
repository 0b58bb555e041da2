import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Log } from '../log.ts'
import { type Instant, later, ms } from '../units.ts'

/** How to reach the embedded server. */
export interface RedisAddress {
  path: string
  username: string
  password: string
}

/** Oldest server BullMQ and our scripts work with. */
const OLDEST = [6, 2] as const
/** Longest path a unix socket can have on Linux, bytes, less its terminator. */
const LONGEST_SOCKET = 107
const STOP_WITHIN = ms(5_000)
const FIRST_RESTART = 100
const LONGEST_RESTART = 5_000
/** Deaths within a minute after which the node calls itself unready. */
const MOST_DEATHS = 5

/** Commands that no application user needs and that could lose or leak everything. */
const DENIED = ['config', 'debug', 'module', 'shutdown', 'flushall', 'keys', 'monitor', 'replicaof', 'slaveof', 'acl']

/**
 * A private Redis as a child of this process, on a unix socket that only its owner can open (reference: queue API,
 * embedded private Redis). Started again when it dies, ended with its owner.
 */
export class EmbeddedRedis implements AsyncDisposable {
  readonly address: RedisAddress
  readonly #binary: string
  readonly #path: string | undefined
  readonly #folder: string
  readonly #clock: Clock
  readonly #log: Log
  #child: ChildProcess | null = null
  #deaths: Instant[] = []
  #isStopping = false

  private constructor(
    binary: string,
    path: string | undefined,
    folder: string,
    address: RedisAddress,
    clock: Clock,
    log: Log,
  ) {
    this.#binary = binary
    this.#path = path
    this.#folder = folder
    this.address = address
    this.#clock = clock
    this.#log = log
  }

  /** Starts the server and waits until it answers. Throws with the line to type when there is none on this machine. */
  static async start(config: Config, path: string | undefined, clock: Clock, log: Log): Promise<EmbeddedRedis> {
    const binary = findServer(config.embeddedRedis.serverBin, path)
    const folder = resolve(config.dataDir, 'redis')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    takeLock(folder, log)
    const address = { path: socketPath(folder), username: 'parley', password: randomBytes(32).toString('hex') }
    writeFileSync(join(folder, 'redis.conf'), configuration(config, folder, address), { mode: 0o600 })
    const redis = new EmbeddedRedis(binary, path, folder, address, clock, log)
    await redis.#spawn()
    return redis
  }

  /** False once it has died too often to be relied upon. */
  get isHealthy(): boolean {
    const now = this.#clock.now()
    return this.#child !== null && this.#deaths.filter((at) => now - at < 60_000).length < MOST_DEATHS
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true
    const child = this.#child
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const { promise, resolve: done } = Promise.withResolvers<void>()
      child.once('exit', () => done())
      const alarm = this.#clock.at(later(this.#clock.now(), STOP_WITHIN), () => child.kill('SIGKILL'))
      child.kill('SIGTERM')
      await promise
      alarm[Symbol.dispose]()
    }
    rmSync(join(this.#folder, 'owner.pid'), { force: true })
  }

  async #spawn(): Promise<void> {
    const conf = join(this.#folder, 'redis.conf')
    // A plain child outlives a killed parent; with setpriv the kernel ends it too.
    const wrapper = onPath('setpriv', this.#path)
    const [command, args] =
      wrapper === null ? [this.#binary, [conf]] : [wrapper, ['--pdeathsig', 'TERM', this.#binary, conf]]
    // A group of its own: Ctrl-C at a terminal reaches the whole group of this process, and sessions that drain need Redis.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    this.#child = child
    writeFileSync(join(this.#folder, 'server.pid'), String(child.pid), { mode: 0o600 })
    const { promise, resolve: ready, reject } = Promise.withResolvers<void>()
    let tail = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString('utf8')).slice(-2_000)
      if (tail.includes('eady to accept connections')) ready()
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      reject(new Error(`redis-server ended at once (${signal ?? code}): ${tail.split('\n').slice(-3).join(' ')}`))
      this.#died(child)
    })
    await promise
  }

  #died(child: ChildProcess): void {
    if (this.#isStopping || child !== this.#child) return
    this.#child = null
    const now = this.#clock.now()
    this.#deaths = [...this.#deaths.filter((at) => now - at < 60_000), now]
    const wait = ms(Math.min(LONGEST_RESTART, FIRST_RESTART * 2 ** (this.#deaths.length - 1)))
    this.#log.error({ deaths: this.#deaths.length }, 'embedded redis died')
    this.#clock.at(later(now, wait), () => {
      if (this.#isStopping) return
      this.#spawn().catch((error: unknown) => this.#log.error({ err: error }, 'embedded redis did not start'))
    })
  }
}

/** Path of a server that is new enough. */
function findServer(configured: string | undefined, path: string | undefined): string {
  const binary = configured ?? onPath('redis-server', path) ?? onPath('valkey-server', path)
  if (binary === null) {
    throw new Error('no Redis server found: install one (Debian: apt-get install redis-server) or set REDIS_URL')
  }
  const version = /v=(\d+)\.(\d+)/.exec(execFileSync(binary, ['--version'], { encoding: 'utf8' }))
  const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)]
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new Error(`${binary} is version ${major}.${minor}; Parley needs ${OLDEST.join('.')} or newer`)
  }
  return binary
}

function onPath(name: string, path: string | undefined): string | null {
  const files = (path ?? '').split(delimiter).map((folder) => join(folder, name))
  return files.find((file) => isExecutable(file)) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** One owner per data folder. A server left behind by an owner that was killed is ended before a new one starts. */
function takeLock(folder: string, log: Log): void {
  const lock = join(folder, 'owner.pid')
  const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0
  if (owner > 0 && owner !== process.pid && isAlive(owner)) {
    throw new Error(
      `the data folder is in use by process ${owner}: give this one another (PARLEY_DATA_DIR), or let both share a Redis (REDIS_URL)`,
    )
  }
  const orphanFile = join(folder, 'server.pid')
  const orphan = existsSync(orphanFile) ? Number(readFileSync(orphanFile, 'utf8')) : 0
  if (orphan > 0 && isOurServer(orphan, folder)) {
    log.warn({ pid: orphan }, 'ending a redis server left behind')
    process.kill(orphan, 'SIGTERM')
    waitForExit(orphan)
  }
  writeFileSync(lock, String(process.pid), { mode: 0o600 })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A process id may have been given to somebody else meanwhile, even to another Redis: it must work in our folder. */
function isOurServer(pid: number, folder: string): boolean {
  if (!isAlive(pid)) return false
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(folder)
  } catch {
    return false
  }
}

/** Blocks for at most two seconds; only ever at start, before anything is served. */
function waitForExit(pid: number): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let i = 0; i < 100 && isAlive(pid); i++) Atomics.wait(pause, 0, 0, 20)
}

function socketPath(folder: string): string {
  const path = join(folder, 'redis.sock')
  if (Buffer.byteLength(path) <= LONGEST_SOCKET) return path
  const short = join(tmpdir(), `parley-${process.pid}-${randomBytes(4).toString('hex')}`)
  mkdirSync(short, { mode: 0o700 })
  return join(short, 'redis.sock')
}

function configuration(config: Config, folder: string, address: RedisAddress): string {
  const { durability, maxMemory } = config.embeddedRedis
  const denied = DENIED.map((command) => `-${command}`).join(' ')
  return [
    'port 0',
    `unixsocket ${address.path}`,
    'unixsocketperm 700',
    `dir ${folder}`,
    'appendonly yes',
    `appendfsync ${durability === 'strict' ? 'always' : 'everysec'}`,
    'save ""',
    'aof-load-truncated yes',
    `maxmemory ${maxMemory}`,
    'maxmemory-policy noeviction',
    // A job's record in one piece takes half of what it takes as a table; the older name is known to all versions.
    'hash-max-ziplist-value 1024',
    'daemonize no',
    // Nobody can be this user, but the server reads its own file as this user: with no permissions it passes over every
    // transaction in it, and so over everything that scripts have written.
    'user default off ~* &* +@all',
    `user ${address.username} on >${address.password} ~* &* +@all ${denied}`,
    '',
  ].join('\n')
}
