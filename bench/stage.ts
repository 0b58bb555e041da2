import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { LoadService } from './load.ts'
import { bare } from './relays/bare.ts'
import { haproxy } from './relays/haproxy.ts'
import { parley, parleyResumable } from './relays/parley.ts'
import type { Relay, RelayKind } from './relays/relay.ts'
import { type Calls, Remote } from './remote.ts'
import type { Report } from './report.ts'
import type { UpstreamService } from './upstream.ts'

/** The yardstick first. */
export const KINDS: readonly RelayKind[] = [bare, haproxy, parley, parleyResumable]
const LOAD = new URL('./load.ts', import.meta.url)
const UPSTREAM = new URL('./upstream.ts', import.meta.url)
/** Parley waits this long for the usage of a response that its caller has left, ms, and some. */
const CLEARED_WITHIN_MS = 20_000

export interface Settings {
  /** Shorter, for a look; the figures mean little. */
  isQuick: boolean
  /** How often each relay is measured; null for what the scenario thinks right. */
  rounds: number | null
  parleyNodeOptions: readonly string[]
  /** Where labelled recordings lie; null for those made of fixtures. */
  speech: string | null
  /** Where pictures lie, with their texts; null for those drawn for the run. */
  pictures: readonly string[] | null
  /** Relays to measure, by name; null for all. */
  relays: readonly string[] | null
}

/** One relay between callers and a provider. */
export interface Side {
  relay: Relay
  load: Calls<LoadService>
  upstream: Calls<UpstreamService>
}

/** Each side once in every round, forth and back, so that what the machine does beside this falls on all alike. */
export function* turns(sides: readonly Side[], rounds: number): Generator<Side> {
  for (let round = 0; round < rounds; round++) yield* round % 2 === 0 ? sides : sides.toReversed()
}

/** One thing to find out. */
export type Scenario = (stage: Stage) => Promise<Report>

/** What scenarios play on: callers and a provider, each a process of its own, and relays to put between them. */
export class Stage implements AsyncDisposable {
  readonly settings: Settings
  readonly load: Calls<LoadService>
  readonly upstream: Calls<UpstreamService>
  readonly upstreamPort: number
  readonly #folder: string
  readonly #stack: AsyncDisposableStack
  #started = 0

  private constructor(
    settings: Settings,
    load: Calls<LoadService>,
    upstream: Calls<UpstreamService>,
    upstreamPort: number,
    folder: string,
    stack: AsyncDisposableStack,
  ) {
    this.settings = settings
    this.load = load
    this.upstream = upstream
    this.upstreamPort = upstreamPort
    this.#folder = folder
    this.#stack = stack
  }

  static async set(settings: Settings): Promise<Stage> {
    await using stack = new AsyncDisposableStack()
    const folder = mkdtempSync(join(tmpdir(), 'parley-bench-'))
    stack.defer(() => rmSync(folder, { recursive: true, force: true }))
    const upstream = stack.use(new Remote<UpstreamService>(UPSTREAM))
    const load = stack.use(new Remote<LoadService>(LOAD))
    const port = await upstream.calls.listen()
    return new Stage(settings, load.calls, upstream.calls, port, folder, stack.move())
  }

  /** Those wanted that can run on this machine, the yardstick first. */
  get kinds(): RelayKind[] {
    const { relays } = this.settings
    return KINDS.filter((kind) => (relays === null || relays.includes(kind.name)) && kind.missing() === null)
  }

  async start(kind: RelayKind, upstreamPort = this.upstreamPort): Promise<Relay> {
    const folder = join(this.#folder, String(this.#started++))
    mkdirSync(folder)
    return kind.start({ upstreamPort, folder, parleyNodeOptions: this.settings.parleyNodeOptions })
  }

  /** A relay with callers and a provider of its own, for relays whose sessions stand side by side; ended with `stack`. */
  async side(kind: RelayKind, stack: AsyncDisposableStack): Promise<Side> {
    const upstream = stack.use(new Remote<UpstreamService>(UPSTREAM)).calls
    const load = stack.use(new Remote<LoadService>(LOAD)).calls
    const relay = stack.use(await this.start(kind, await upstream.listen()))
    return { relay, load, upstream }
  }

  /** Starts one relay of each kind; they are idle until measured. */
  async startAll(stack: AsyncDisposableStack): Promise<Relay[]> {
    const relays: Relay[] = []
    for (const kind of this.kinds) relays.push(stack.use(await this.start(kind)))
    return relays
  }

  /** Ends all traffic and all sessions; resolves once the provider's side has seen them go. */
  async clear(): Promise<void> {
    await this.load.fallSilent()
    await this.upstream.fallSilent()
    await this.load.close()
    const deadline = performance.now() + CLEARED_WITHIN_MS
    while ((await this.upstream.count()).lines > 0) {
      if (performance.now() > deadline) throw new Error('A relay has left connections to its provider open.')
      await pause(20)
    }
  }

  rounds(usual: number): number {
    return this.settings.rounds ?? (this.settings.isQuick ? 1 : usual)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
