import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PolicyInput } from '../src/config/schema.ts'
import { ChaosLine } from './chaos-line.ts'
import type { Dice } from './dice.ts'
import { type Premises, policyOf } from './premises.ts'

const MOST_STARTS = 20
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** What the policy of one process names. */
export interface PolicyPlaces {
  readonly provider: string
  readonly redis: string
  readonly dataDir: string
  readonly ledger: string
}

export interface Places {
  /** A folder of the run's own. */
  folder: string
  /** Unix socket of Redis. */
  redis: string
  /** Port of the provider on 127.0.0.1. */
  provider: number
}

/** One broker or worker process, its folder, which outlives it, and its lines to Redis and to the provider. */
export class Member implements AsyncDisposable {
  readonly name: string
  readonly folder: string
  readonly toRedis: ChaosLine
  readonly toProvider: ChaosLine
  /** `http://127.0.0.1:…`; null while it is down, and of workers. */
  url: string | null = null
  isUp = false
  readonly #only: 'broker' | 'workers'
  readonly #places: Places
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()

  private constructor(name: string, only: 'broker' | 'workers', places: Places, lines: [ChaosLine, ChaosLine]) {
    this.name = name
    this.#only = only
    this.#places = places
    this.folder = join(places.folder, name)
    this.toRedis = lines[0]
    this.toProvider = lines[1]
    mkdirSync(this.folder, { recursive: true })
  }

  static async make(name: string, only: 'broker' | 'workers', places: Places): Promise<Member> {
    const toRedis = await ChaosLine.open(join(places.folder, `${name}.sock`), { path: places.redis })
    const toProvider = await ChaosLine.open(0, { port: places.provider, host: '127.0.0.1' })
    return new Member(name, only, places, [toRedis, toProvider])
  }

  /** Writes the policy, also for a process that runs: it takes it up when told to (`reload`). */
  write(policyAt: (at: PolicyPlaces) => PolicyInput): void {
    const policy = policyAt({
      provider: `http://127.0.0.1:${this.toProvider.port}/v1`,
      redis: `unix:${join(this.#places.folder, `${this.name}.sock`)}`,
      dataDir: join(this.folder, 'data'),
      ledger: join(this.#places.folder, 'ledger.db'),
    })
    // JSON is YAML.
    writeFileSync(join(this.folder, 'parley.yaml'), JSON.stringify(policy))
  }

  reload(): void {
    this.#child?.kill('SIGHUP')
  }

  /** Resolves once it runs. Rejects when it ends instead. */
  async start(): Promise<void> {
    const env = { PATH: process.env.PATH, HOME: this.folder, PARLEY_CONFIG: join(this.folder, 'parley.yaml') }
    const child = spawn(process.execPath, [MAIN, '--only', this.#only], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const running = Promise.withResolvers<void>()
    const exited = Promise.withResolvers<void>()
    this.#exited = exited.promise
    let head = ''
    const read = (chunk: Buffer) => {
      appendFileSync(join(this.folder, 'log'), chunk)
      if (this.isUp) return
      head = (head + chunk.toString('utf8')).slice(-20_000)
      const url = /Parley is running\.\s+(http:\/\/\S+)\/v1\/realtime/.exec(head)?.[1]
      if (url !== undefined && this.#child === child) this.url = url
      if (url === undefined && !head.includes('Parley workers are running')) return
      if (this.#child === child) this.isUp = true
      running.resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('exit', () => {
      if (this.#child === child) {
        this.url = null
        this.isUp = false
      }
      exited.resolve()
      running.reject(new Error(`${this.name} ended before it ran: ${head}`))
    })
    await running.promise
  }

  /** The same, as whoever runs it would: what cannot start because Redis is away, or slow, is started again. */
  async bringUp(): Promise<void> {
    for (let tries = 0; ; tries++) {
      const failed = await this.start().then(
        () => null,
        (error: unknown) => error,
      )
      if (failed === null) return
      if (tries === MOST_STARTS) throw failed
      await after(300)
    }
  }

  /** Sends the signal; resolves once the process is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.url = null
    this.isUp = false
    this.#child?.kill(signal)
    await this.#exited
  }

  /** Bytes of settlements that are written down here and that Redis has not taken yet. */
  get unsettled(): number {
    const data = join(this.folder, 'data')
    const files = readdirSync(data).filter((name) => name.startsWith('unsettled-'))
    return files.reduce((sum, name) => sum + statSync(join(data, name)).size, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
    await this.toRedis[Symbol.asyncDispose]()
    await this.toProvider[Symbol.asyncDispose]()
  }
}

/** All processes of the installation that is put to the test. */
export class Fleet implements AsyncDisposable {
  readonly brokers: readonly Member[]
  readonly #workers: Member
  readonly #dice: Dice

  private constructor(brokers: readonly Member[], workers: Member, dice: Dice) {
    this.brokers = brokers
    this.#workers = workers
    this.#dice = dice
  }

  static async start(count: number, premises: Premises, places: Places, dice: Dice): Promise<Fleet> {
    const names = Array.from({ length: count }, (_, i) => `broker-${i}`)
    const brokers = await Promise.all(names.map((name) => Member.make(name, 'broker', places)))
    const fleet = new Fleet(brokers, await Member.make('workers', 'workers', places), dice)
    fleet.#write(premises)
    await Promise.all([...brokers, fleet.#workers].map((member) => member.start()))
    return fleet
  }

  /** A broker that is up; null while none is. `not`: preferably another one. */
  door(not: string | null = null): string | null {
    const up = this.brokers.flatMap(({ url }) => url ?? [])
    const others = up.filter((url) => url !== not)
    const choice = others.length > 0 ? others : up
    return choice.length === 0 ? null : this.#dice.pick(choice)
  }

  /** The processes take up new limits without a restart. */
  reload(premises: Premises): void {
    this.#write(premises)
    for (const member of this.brokers) member.reload()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.brokers, this.#workers].map((member) => member[Symbol.asyncDispose]()))
  }

  #write(premises: Premises): void {
    for (const member of [...this.brokers, this.#workers]) member.write((at) => policyOf(premises, at))
  }
}
