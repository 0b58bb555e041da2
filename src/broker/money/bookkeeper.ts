import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { LEASE_MS, type LimitStore, type Running, type Settled, type Settlement } from '../../limits/limit-store.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import { type Instant, later, ms } from '../../units.ts'
import { SettlementFile } from './settlement-file.ts'

/** How long to wait before what could not be settled is tried again: first, and at most. */
const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 3_000
/** When to look again for what a dead process left, where its node still seemed to be alive: before its leases are reaped. */
const LOOK_AGAIN_MS = 5_000
/** The file is emptied at most this often, ms: most of what is written is settled at once. */
const CLEAR_EVERY_MS = 1_000
/** Settlements tried at once after an outage. */
const AT_ONCE = 50
const FILE = /^unsettled-([A-Za-z0-9-]{1,64})\.jsonl$/

/**
 * Sees to it that what was bought is settled, once, whatever happens (M3). Each settlement is written to a file of this
 * node before it is tried; while the store is away it waits, and after a crash the next process finds it there. Settling
 * twice counts once, so trying again is always safe.
 */
export class Bookkeeper implements AsyncDisposable {
  readonly #store: LimitStore
  readonly #clock: Clock
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #path: string
  readonly #file: SettlementFile
  readonly #open = new Map<Settlement, (settled: Settled) => void>()
  /** Responses under way whose start the store may not know of, by record. */
  readonly #notes = new Map<string, Running>()
  /** Sessions that are over and whose leases the store may still hold: until when that matters, and what was not bought. */
  readonly #releases = new Map<string, { until: Instant; notBought: readonly string[] }>()
  /** How many settlements each session still waits for. */
  readonly #owing = new Map<string, number>()
  /** Sessions whose last settlement somebody waits for. */
  readonly #leaving = new Map<string, PromiseWithResolvers<void>>()
  #retryIn = FIRST_RETRY_MS
  #retry: Disposable | null = null
  #look: Disposable | null = null
  #clear: Disposable | null = null
  #isOver = false

  constructor(nodeId: string, dataDir: string, store: LimitStore, clock: Clock, log: Log, metrics: Metrics) {
    this.#store = store
    this.#clock = clock
    this.#log = log
    this.#metrics = metrics
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    this.#path = join(dataDir, `unsettled-${nodeId}.jsonl`)
    this.#file = new SettlementFile(this.#path)
  }

  /** How many settlements the store has not taken yet. */
  get unsettled(): number {
    return this.#open.size
  }

  /** Why this node should get no new sessions; null when all is well. Looks whether a disk that was full still is. */
  unwell(): string | null {
    if (this.#file.failure !== null && this.#file.add('') && this.#open.size === 0) this.#file.clear()
    return this.#file.failure === null ? null : `the data folder takes no more (${this.#file.failure})`
  }

  /** Books one thing that was bought. `done` is told what the store answered once it has, however late. */
  book(settlement: Settlement, done: (settled: Settled) => void = () => undefined): void {
    const wasWell = this.#file.failure === null
    // What cannot be written is settled all the same: only a crash before the store has it would lose it.
    if (!this.#file.add(JSON.stringify(settlement)) && wasWell) {
      this.#log.error({ code: this.#file.failure }, 'what was bought cannot be written to the data folder')
    }
    this.#open.set(settlement, done)
    this.#notes.delete(settlement.record.id)
    this.#metrics.unsettled.set(this.#open.size)
    const { session } = settlement.record
    this.#owing.set(session, (this.#owing.get(session) ?? 0) + 1)
    void this.#try(settlement)
  }

  /**
   * Gives back what a session that is over holds; tried again until it has, or its lease would have ended by itself.
   * `notBought`: records that were noted as running and that nobody will be billed for.
   */
  async release(session: string, notBought: readonly string[] = []): Promise<void> {
    for (const id of notBought) this.#notes.delete(id)
    this.#releases.set(session, { until: later(this.#clock.now(), ms(LEASE_MS)), notBought })
    await this.#release(session)
  }

  async #release(session: string): Promise<void> {
    const release = this.#releases.get(session)
    if (release === undefined) return
    const isReleased = await this.#store.release(session, release.notBought).then(
      () => true,
      () => false,
    )
    if (isReleased || this.#clock.now() >= release.until) this.#releases.delete(session)
    else this.#tryLater()
  }

  /** Notes a response that has begun, for a crash of this node; tried again for as long as it is under way. */
  async running(running: Running): Promise<void> {
    this.#notes.set(running.record.id, running)
    await this.#note(running)
  }

  async #note(running: Running): Promise<void> {
    const { id } = running.record
    const isNoted = await this.#store.running(running).then(
      () => true,
      () => false,
    )
    if (this.#notes.get(id) !== running) return
    if (isNoted) this.#notes.delete(id)
    else this.#tryLater()
  }

  /** Resolves once nothing of the session is left to settle. */
  async settled(session: string): Promise<void> {
    if (!this.#owing.has(session)) return
    const waiting = this.#leaving.get(session) ?? Promise.withResolvers<void>()
    this.#leaving.set(session, waiting)
    await waiting.promise
  }

  /**
   * Settles what processes that died have left in the data folder; `isAlive` tells whether a node still runs and looks
   * after its own. A node that was killed seems alive for a while, so whoever does is looked at again, until this is
   * disposed. Returns how many settlements were found by now.
   */
  async recover(dataDir: string, isAlive: (nodeId: string) => Promise<boolean>): Promise<number> {
    let found = 0
    let isLeft = false
    for (const name of readdirSync(dataDir)) {
      const nodeId = FILE.exec(name)?.[1]
      const path = join(dataDir, name)
      if (nodeId === undefined || path === this.#path) continue
      if (await isAlive(nodeId)) isLeft = true
      else found += this.#takeOver(path)
    }
    if (isLeft && !this.#isOver) this.#recoverLater(dataDir, isAlive)
    return found
  }

  #takeOver(path: string): number {
    let found = 0
    for (const line of linesOf(path)) {
      const settlement = parse(line)
      if (settlement === null) continue
      // The dead node's lease is reaped by itself: what it held is no concern of the record any more.
      this.book({ ...settlement, keep: null })
      found++
    }
    rmSync(path, { force: true })
    return found
  }

  #recoverLater(dataDir: string, isAlive: (nodeId: string) => Promise<boolean>): void {
    this.#look = this.#clock.at(later(this.#clock.now(), ms(LOOK_AGAIN_MS)), () => {
      // The store may be away: then nobody can be called dead.
      this.recover(dataDir, isAlive).catch(() => this.#recoverLater(dataDir, isAlive))
    })
  }

  /** Waits a last time; what the store still does not take stays in the file for the next process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    for (const alarm of [this.#look, this.#clear, this.#retry]) alarm?.[Symbol.dispose]()
    await Promise.all([...this.#open.keys()].map((settlement) => this.#try(settlement)))
    this.#retry?.[Symbol.dispose]()
    this.#file.close(this.#open.size === 0)
  }

  async #try(settlement: Settlement): Promise<void> {
    const done = this.#open.get(settlement)
    if (done === undefined) return
    const settled = await this.#store.settle(settlement).catch(() => null)
    if (settled === null) return this.#tryLater()
    if (!this.#open.delete(settlement)) return
    this.#metrics.unsettled.set(this.#open.size)
    if (settlement.keep !== null) this.#metrics.overdraft.inc(settled.overdraft.money)
    this.#retryIn = FIRST_RETRY_MS
    if (this.#open.size === 0) this.#clearSoon()
    done(settled)
    const { session } = settlement.record
    const left = (this.#owing.get(session) ?? 1) - 1
    if (left > 0) return void this.#owing.set(session, left)
    this.#owing.delete(session)
    this.#leaving.get(session)?.resolve()
    this.#leaving.delete(session)
  }

  /** What is settled and found in the file by another process counts once all the same. */
  #clearSoon(): void {
    if (this.#isOver) return
    this.#clear ??= this.#clock.at(later(this.#clock.now(), ms(CLEAR_EVERY_MS)), () => {
      this.#clear = null
      if (this.#open.size === 0) this.#file.clear()
    })
  }

  #tryLater(): void {
    if (this.#retry !== null || this.#isOver) return
    this.#log.warn({ unsettled: this.#open.size }, 'settlements wait for the store')
    this.#retry = this.#clock.at(later(this.#clock.now(), ms(this.#retryIn)), () => {
      this.#retry = null
      this.#retryIn = Math.min(LONGEST_RETRY_MS, this.#retryIn * 2)
      void this.#tryAgain()
    })
  }

  /** Oldest first, some at a time; goes on at once while the store takes them. */
  async #tryAgain(): Promise<void> {
    await Promise.all([...this.#releases.keys()].slice(0, AT_ONCE).map((session) => this.#release(session)))
    await Promise.all([...this.#notes.values()].slice(0, AT_ONCE).map((running) => this.#note(running)))
    while (this.#open.size > 0 && this.#retry === null) {
      await Promise.all([...this.#open.keys()].slice(0, AT_ONCE).map((settlement) => this.#try(settlement)))
    }
  }
}

/** Nothing where another node of the same folder was faster. */
function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** A line that was cut off by the crash says nothing that was ever acted upon. */
function parse(line: string): Settlement | null {
  try {
    return line === '' ? null : (JSON.parse(line) as Settlement)
  } catch {
    return null
  }
}
