import type { Clock } from '../clock.ts'
import type { DoorConfig } from '../config/config.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { EndReason } from '../session/end-reason.ts'
import type { SessionState } from '../session/state.ts'
import type { SessionRecords } from '../store/session-records.ts'
import { type Instant, later, ms } from '../units.ts'
import type { LiveSession } from './live-session.ts'

/** How often sessions are looked after, ms; pings come every so many rounds. */
const ROUND = ms(1_000)
/** A record that changed is written at most this often, ms. */
const WRITE_EVERY_MS = 2_000

interface Kept {
  session: LiveSession
  /** Fixes the round in which it is pinged. */
  slot: number
  writtenAt: number
  writtenRevision: number
  isWriting: boolean
}

/** All sessions of this node: looked after once a second, and their records kept. */
export class Directory {
  readonly #sessions = new Map<string, Kept>()
  readonly #clock: Clock
  readonly #log: Log
  readonly #records: SessionRecords
  readonly #metrics: Metrics
  readonly #door: () => DoorConfig
  #round = 0
  #slots = 0
  #timer: Disposable | null = null
  #emptied: (() => void) | null = null
  #parked = 0

  constructor(clock: Clock, log: Log, records: SessionRecords, metrics: Metrics, door: () => DoorConfig) {
    this.#clock = clock
    this.#log = log
    this.#records = records
    this.#metrics = metrics
    this.#door = door
    this.#schedule()
  }

  get size(): number {
    return this.#sessions.size
  }

  get mayPark(): boolean {
    const { maxSessions, maxParkedShare } = this.#door()
    return this.#parked < Math.max(1, Math.floor(maxSessions * maxParkedShare))
  }

  find(id: string): LiveSession | null {
    return this.#sessions.get(id)?.session ?? null
  }

  all(): LiveSession[] {
    return [...this.#sessions.values()].map((kept) => kept.session)
  }

  add(session: LiveSession): void {
    this.#sessions.set(session.head.id, {
      session,
      slot: this.#slots++,
      writtenAt: 0,
      writtenRevision: -1,
      isWriting: false,
    })
    this.#metrics.sessions.inc({ phase: session.state.phase })
  }

  phaseChanged(session: LiveSession, from: SessionState['phase'], to: SessionState['phase']): void {
    this.#metrics.sessions.dec({ phase: from })
    if (to !== 'ended') this.#metrics.sessions.inc({ phase: to })
    if (from === 'parked') this.#parked--
    if (to === 'parked') this.#parked++
    const kept = this.#sessions.get(session.head.id)
    if (kept !== undefined && to !== 'ended') void this.#write(kept, this.#clock.now())
  }

  ended(session: LiveSession, reason: EndReason): void {
    this.#sessions.delete(session.head.id)
    this.#metrics.ended.inc({ reason })
    this.#log.info({ sessionId: session.head.id, tenant: session.head.tenant, reason }, 'session ended')
    const now = this.#clock.now()
    const written =
      reason === 'going_away' && session.isResumable
        ? this.#records.release(session.head, session.tail, session.usage, now)
        : this.#records.end(session.head, reason, session.usage, now)
    this.#leaving.add(written.catch(() => this.#log.warn({ sessionId: session.head.id }, 'end of session not stored')))
    if (this.#sessions.size === 0) this.#emptied?.()
  }

  readonly #leaving = new Set<Promise<void>>()

  /** Resolves once no session is left and the ends of all are stored. */
  async emptied(): Promise<void> {
    if (this.#sessions.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#emptied = resolve
      await promise
    }
    await Promise.all(this.#leaving)
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
  }

  #schedule(): void {
    this.#timer = this.#clock.at(later(this.#clock.now(), ROUND), () => {
      this.#lookAfterAll()
      this.#schedule()
    })
  }

  /** Pings are spread over the rounds of their interval, so that thousands do not fall into one. */
  #lookAfterAll(): void {
    const now = this.#clock.now()
    const rounds = Math.max(1, Math.round(this.#door().pingEvery / ROUND))
    this.#round = (this.#round + 1) % rounds
    for (const kept of this.#sessions.values()) {
      kept.session.tick(now, kept.slot % rounds === this.#round)
      if (kept.session.journal !== null && now - kept.writtenAt >= WRITE_EVERY_MS) void this.#write(kept, now)
    }
    if (this.#leaving.size > 1_000) this.#leaving.clear()
  }

  async #write(kept: Kept, now: Instant): Promise<void> {
    const { session } = kept
    const revision = (session.journal?.revision ?? 0) + (session.state.phase === 'parked' ? 1e9 : 0)
    if (kept.isWriting || kept.writtenRevision === revision) return
    kept.isWriting = true
    const change = { phase: session.state.phase, usage: session.usage }
    try {
      const isOurs = await this.#records.update(
        session.head,
        session.journal === null ? change : { ...change, tail: session.tail },
        now,
      )
      kept.writtenAt = now
      kept.writtenRevision = revision
      if (!isOurs && this.#sessions.has(session.head.id)) {
        this.#log.warn({ sessionId: session.head.id }, 'session was taken over by another node')
        session.dispatch({ type: 'end_requested', reason: 'node_lost' })
      }
    } catch {
      // The store is away: the session goes on, and the next round tries again.
      this.#metrics.storeFailures.inc()
    } finally {
      kept.isWriting = false
    }
  }
}
