import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import type { Log } from '../log.ts'
import { type Instant, later, ms } from '../units.ts'
import type { CounterName, SpendCounters } from './counters.ts'
import type { Entry, Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import type { LedgerMetrics } from './ledger-metrics.ts'
import { rebuildCounters } from './rebuild.ts'

/** Entries appended in one transaction. */
const BATCH = 200
/** How long one reading waits for the first entry, ms: also how long a reader takes to stop. */
const WAIT_MS = 1_000
/**
 * From one transaction until the next is begun, ms, unless there is more than one takes: each is flushed to the disk, and
 * what is read, sent and flushed for one record costs as much as for all that come meanwhile.
 */
const GATHER_MS = 500
/** Entries of a reader that has not acknowledged them for so long are given to another. */
const DEAD_AFTER_MS = 30_000
const LOOK_AFTER_OTHERS = ms(10_000)
/** A reader that rebuilds the counters and has not finished after this is taken for dead, ms. */
const REBUILD_WITHIN_MS = 60_000
const FIRST_RETRY = 100
const LONGEST_RETRY = 5_000

export interface JournalReaderDeps {
  clock: Clock
  log: Log
  journal: Journal
  ledger: Ledger
  counters: SpendCounters
  nameOf: CounterName
  metrics: LedgerMetrics
  /** A name that no other reader has, also not one that died. */
  name: string
  /** For tests: when a reader's entries count as left behind. */
  deadAfter?: number
}

/**
 * M3: moves records from the journal to the ledger. An entry is forgotten only after the ledger's commit, and the ledger
 * books nothing twice, so that a reader may die at any point and any number may run. While Redis or the ledger is away it
 * tries again; nothing is lost meanwhile, because the journal keeps it.
 *
 * It also guards the counters: where Redis has forgotten which ledger its journal belongs to, it has lost the counters too,
 * and they are rebuilt before anything is taken from the journal. A journal that belongs to another ledger is left alone.
 */
export class JournalReader implements AsyncDisposable {
  readonly #deps: JournalReaderDeps
  readonly #stopped = Promise.withResolvers<void>()
  readonly #run: Promise<void>
  #isStopping = false
  /** The journal was seen to belong to another ledger. */
  isElsewhere = false
  #lookAt: Instant
  #failures = 0
  /** Taken and not yet acknowledged: in the ledger or not, they are dealt with before any others. */
  #inHand: Entry[] = []

  constructor(deps: JournalReaderDeps) {
    this.#deps = deps
    this.#lookAt = deps.clock.now()
    this.#run = this.#loop()
  }

  /** Takes what there is, then stops; gives up after `within` when Redis or the ledger is away. */
  async stop(within = ms(5_000)): Promise<void> {
    this.#isStopping = true
    this.#stopped.resolve()
    const { clock } = this.#deps
    const { promise, resolve } = Promise.withResolvers<void>()
    using _alarm = clock.at(later(clock.now(), within), () => resolve())
    await Promise.race([this.#run, promise])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #loop(): Promise<void> {
    const { journal, name, log, metrics } = this.#deps
    for (;;) {
      try {
        const taken = await this.#pass()
        if (this.#failures > 0) log.info({ failures: this.#failures }, 'the journal is read again')
        this.#failures = 0
        if (this.#isStopping && taken === 0) return await journal.forget(name)
        if (taken > 0 && taken < BATCH && !this.#isStopping) await this.#pause(GATHER_MS)
      } catch (error) {
        metrics.failures.inc()
        if (this.#failures === 0) log.warn({ err: error }, 'the journal waits for redis or the ledger')
        this.#failures += 1
        if (this.#isStopping) return
        await this.#pause(Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(10, this.#failures - 1)))
      }
    }
  }

  /** One reading; answers with how many entries there were. */
  async #pass(): Promise<number> {
    const { clock, journal, name } = this.#deps
    if (this.#inHand.length === 0 && clock.now() >= this.#lookAt) await this.#lookAfterOthers()
    if (this.#inHand.length === 0) {
      const taken = await journal.take(name, BATCH, this.#isStopping ? 0 : WAIT_MS).catch(async (error: Error) => {
        // The stream is gone, and with it whatever else Redis knew.
        if (error.message.startsWith('NOGROUP')) this.#lookAt = clock.now()
        throw error
      })
      this.#inHand = taken
    }
    return this.#book()
  }

  async #book(): Promise<number> {
    const { journal, log, metrics } = this.#deps
    const entries = this.#inHand
    if (entries.length === 0) return 0
    const refused = await this.#append(entries)
    await journal.done(entries, refused)
    this.#inHand = []
    if (refused.length > 0) {
      metrics.refused.inc(refused.length)
      log.error({ entries: refused.map(({ id }) => id) }, 'entries of the journal were no records and were put aside')
    }
    return entries.length
  }

  /** The ledger checks what it takes; each entry is looked at by itself only where there is one that it does not. */
  async #append(entries: readonly Entry[]): Promise<Entry[]> {
    const { ledger, metrics } = this.#deps
    const claimed = entries.map((entry) => entry.claimed)
    try {
      metrics.booked.inc(await ledger.append(claimed.filter((posting) => posting !== null)))
      return entries.filter((_, i) => claimed[i] === null)
    } catch (error) {
      if (error instanceof FaultError || entries.every(({ posting }) => posting !== null)) throw error
    }
    metrics.booked.inc(await ledger.append(entries.flatMap(({ posting }) => posting ?? [])))
    return entries.filter(({ posting }) => posting === null)
  }

  async #lookAfterOthers(): Promise<void> {
    const { clock, journal, name, metrics, deadAfter = DEAD_AFTER_MS } = this.#deps
    await this.#checkOwner()
    await journal.prepare()
    this.#inHand = await journal.claim(name, BATCH, deadAfter)
    metrics.journalLength.set((await journal.state()).length)
    // A full batch was found: there may be more.
    if (this.#inHand.length < BATCH) {
      await journal.forget(null)
      this.#lookAt = later(clock.now(), LOOK_AFTER_OTHERS)
    }
  }

  /** Throws when the journal is not this ledger's. */
  async #checkOwner(): Promise<void> {
    const { clock, log, journal, ledger, name } = this.#deps
    const owner = await journal.owner()
    this.isElsewhere = owner !== null && owner !== ledger.id && !owner.startsWith('rebuilding:')
    if (owner === ledger.id) return
    if (owner?.startsWith('rebuilding:')) throw new Error('another reader rebuilds the counters')
    if (owner !== null) {
      throw new Error(
        `the journal belongs to the ledger ${owner}, this one is ${ledger.id}: let them share one (ledger.postgres), or delete the key parley:{limits}:ledger to make this one its ledger`,
      )
    }
    // Whoever takes it first rebuilds, and the others wait: nothing may leave the journal meanwhile.
    const claim = `rebuilding:${name}`
    if (!(await journal.setOwner(null, claim, REBUILD_WITHIN_MS)))
      throw new Error('another reader rebuilds the counters')
    const counters = await rebuildCounters(this.#deps, clock.now())
    if (!(await journal.setOwner(claim, ledger.id))) throw new Error('rebuilding the counters took too long')
    if (counters > 0) log.warn({ counters }, 'redis had lost its counters: rebuilt from the ledger')
  }

  /** Ends early when the reader is stopped. */
  async #pause(wait: number): Promise<void> {
    const { clock } = this.#deps
    const { promise, resolve } = Promise.withResolvers<void>()
    using _alarm = clock.at(later(clock.now(), ms(wait)), () => resolve())
    await Promise.race([promise, this.#stopped.promise])
  }
}
