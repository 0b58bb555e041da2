import type { Clock } from '../../clock.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import type { EndReason } from '../../session/end-reason.ts'
import type { SessionRecords } from '../../store/session-records.ts'
import type { LiveSession } from '../live/live-session.ts'

/** A record that changed is written at most this often, ms; a change of phase at once. */
const WRITE_EVERY_MS = 2_000

/** Why a caller that came from another node may not have been let in here, though elsewhere or later it may. */
const NEVER_IN: ReadonlySet<EndReason> = new Set(['upstream_unavailable', 'caller_lost'])

/** What is known of one session's record. */
interface Page {
  session: LiveSession
  writtenAt: number
  /** What the last write that succeeded said; null before the first. */
  written: string | null
  isWriting: boolean
}

/**
 * Keeps the records of this node's sessions true. While the store is away sessions go on; what could not be written is
 * owed and written when it is back, ends above all. One attempt a second is made meanwhile, so that a store that hangs is
 * not buried in commands.
 */
export class RecordKeeper {
  readonly #pages = new Map<string, Page>()
  /** Writes about sessions that are not here any more, by session. */
  readonly #owed = new Map<string, () => Promise<void>>()
  readonly #underWay = new Set<Promise<void>>()
  readonly #clock: Clock
  readonly #log: Log
  readonly #records: SessionRecords
  readonly #metrics: Metrics
  #isAway = false
  #probes = 0

  constructor(clock: Clock, log: Log, records: SessionRecords, metrics: Metrics) {
    this.#clock = clock
    this.#log = log
    this.#records = records
    this.#metrics = metrics
  }

  add(session: LiveSession): void {
    this.#pages.set(session.head.id, { session, writtenAt: 0, written: null, isWriting: false })
  }

  phaseChanged(session: LiveSession): void {
    const page = this.#pages.get(session.head.id)
    if (page !== undefined && !this.#isAway) void this.#write(page)
  }

  /** Resolves once the end is stored, or is owed because the store is away. */
  ended(session: LiveSession, reason: EndReason): Promise<void> {
    this.#pages.delete(session.head.id)
    const { head, tail, usage, resumeHash } = session
    const now = this.#clock.now()
    const isLeftToOthers =
      session.isResumable && (reason === 'going_away' || (!session.wasLetIn && NEVER_IN.has(reason)))
    return this.owe(head.id, () =>
      isLeftToOthers
        ? this.#records.release(head, { tail, usage, resumeHash }, now)
        : this.#records.end(head, reason, usage, now),
    )
  }

  /** Does what must be done about a session that is not here; again once a second until it succeeds. Never rejects. */
  owe(sessionId: string, write: () => Promise<void>): Promise<void> {
    this.#owed.set(sessionId, write)
    return this.#pay(sessionId, write)
  }

  /** Resolves once nothing is under way; what failed stays owed. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Once a second. */
  round(): void {
    const now = this.#clock.now()
    const due: Array<() => Promise<void>> = []
    for (const [sessionId, write] of this.#owed) due.push(() => this.#pay(sessionId, write))
    for (const page of this.#pages.values()) {
      if (page.isWriting || now - page.writtenAt < WRITE_EVERY_MS) continue
      // A parked caller may have come back to a node that took this one for dead: only a write finds out.
      const isSettled = page.session.state.phase !== 'parked' && page.written === stateOf(page.session)
      if (isSettled) continue
      due.push(() => this.#write(page))
    }
    // Another one each time, so that one that cannot be written at all does not keep back the rest.
    if (this.#isAway) void due[this.#probes++ % Math.max(1, due.length)]?.()
    else for (const write of due) void write()
  }

  async #pay(sessionId: string, write: () => Promise<void>): Promise<void> {
    const paid = this.#try(write).then((isDone) => {
      if (isDone && this.#owed.get(sessionId) === write) this.#owed.delete(sessionId)
    })
    this.#underWay.add(paid)
    await paid
    this.#underWay.delete(paid)
  }

  async #write(page: Page): Promise<void> {
    // An end is written with its reason, once that is all there is to write.
    if (page.isWriting || page.session.state.phase === 'ended') return
    page.isWriting = true
    const { session } = page
    const { head, usage, state, resumeHash } = session
    const now = this.#clock.now()
    const says = stateOf(session)
    const content = session.journal === null ? {} : { tail: session.tail }
    const isDone = await this.#try(async () => {
      const isOurs = await this.#records.update(head, { phase: state.phase, usage, resumeHash, ...content }, now)
      if (isOurs || !this.#pages.has(head.id)) return
      this.#log.warn({ sessionId: head.id }, 'session was taken over by another node')
      session.dispatch({ type: 'end_requested', reason: 'node_lost' })
    })
    page.isWriting = false
    if (!isDone) return
    page.writtenAt = now
    page.written = says
    // Its phase has changed meanwhile, and was not written because this was under way.
    if (session.state.phase !== state.phase && this.#pages.has(head.id)) void this.#write(page)
  }

  async #try(write: () => Promise<void>): Promise<boolean> {
    try {
      await write()
      this.#isAway = false
      return true
    } catch (error) {
      this.#metrics.storeFailures.inc()
      if (!this.#isAway) this.#log.warn({ why: String(error) }, 'records of sessions are owed to the store')
      this.#isAway = true
      return false
    }
  }
}

/** Everything that a record tells and that can change, in a form that can be compared. */
function stateOf({ state, journal, usage, resumeHash }: LiveSession): string {
  return `${state.phase} ${journal?.revision ?? 0} ${usage.responses} ${resumeHash}`
}
