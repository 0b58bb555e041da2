import type { Clock } from '../../clock.ts'
import type { DoorConfig } from '../../config/config.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import type { EndReason } from '../../session/end-reason.ts'
import type { SessionState } from '../../session/state.ts'
import { type Bytes, bytes, type Instant, later, ms } from '../../units.ts'
import type { LiveSession } from '../live/live-session.ts'
import { Bygones } from './bygones.ts'
import type { RecordKeeper } from './record-keeper.ts'

/** How often sessions are looked after, ms; pings come every so many rounds. */
const ROUND = ms(1_000)

/** Bytes kept for replay: of one session, and of all sessions of the node. */
const LARGEST_RING = 2 * 1_024 * 1_024
const RINGS = 1_024 * 1_024 * 1_024

interface Kept {
  session: LiveSession
  /** Fixes the round in which it is pinged. */
  slot: number
}

/** All sessions of this node, looked after once a second. */
export class Directory {
  /** What is left to say about those that are over. */
  readonly bygones = new Bygones()
  readonly #sessions = new Map<string, Kept>()
  readonly #clock: Clock
  readonly #log: Log
  readonly #keeper: RecordKeeper
  readonly #metrics: Metrics
  readonly #door: () => DoorConfig
  #round = 0
  #slots = 0
  #timer: Disposable | null = null
  #emptied: (() => void) | null = null
  #parked = 0
  /** When the last session must have left; null while the node is not draining. */
  #leavingBy: Instant | null = null

  constructor(clock: Clock, log: Log, keeper: RecordKeeper, metrics: Metrics, door: () => DoorConfig) {
    this.#clock = clock
    this.#log = log
    this.#keeper = keeper
    this.#metrics = metrics
    this.#door = door
    this.#schedule()
  }

  get size(): number {
    return this.#sessions.size
  }

  all(): LiveSession[] {
    return [...this.#sessions.values()].map((kept) => kept.session)
  }

  /** All sessions together keep at most `RINGS` for callers that come back, each at most `LARGEST_RING`. */
  get ringBytes(): Bytes {
    return bytes(Math.min(LARGEST_RING, Math.floor(RINGS / Math.max(1, this.size))))
  }

  get mayPark(): boolean {
    const { maxSessions, maxParkedShare } = this.#door()
    return this.#parked < Math.max(1, Math.floor(maxSessions * maxParkedShare))
  }

  find(id: string): LiveSession | null {
    return this.#sessions.get(id)?.session ?? null
  }

  add(session: LiveSession): void {
    this.#sessions.set(session.head.id, { session, slot: this.#slots++ })
    this.#keeper.add(session)
    this.#metrics.sessions.inc({ phase: session.state.phase })
  }

  /** The session's caller is in place: one that came just before the node began to drain has to leave, too. */
  admitted(session: LiveSession): void {
    if (this.#leavingBy !== null) sendOff(session, this.#leavingBy)
  }

  phaseChanged(session: LiveSession, from: SessionState['phase'], to: SessionState['phase']): void {
    this.#metrics.sessions.dec({ phase: from })
    if (to !== 'ended') this.#metrics.sessions.inc({ phase: to })
    if (to !== 'ended') session.timeline.phase(to)
    if (from === 'parked') this.#parked--
    if (to === 'parked') this.#parked++
    if (to !== 'ended') this.#keeper.phaseChanged(session)
  }

  /** Resolves once the end is stored, or is owed because the store is away. */
  ended(session: LiveSession, reason: EndReason): Promise<void> {
    this.#sessions.delete(session.head.id)
    this.#metrics.ended.inc({ reason })
    this.bygones.add(session, reason, this.#clock.now())
    this.#log.info({ sessionId: session.head.id, tenant: session.head.tenant, reason }, 'session ended')
    const stored = this.#keeper.ended(session, reason)
    if (this.#sessions.size === 0) this.#emptied?.()
    return stored
  }

  /** Asks every session, and those still to come, to leave: at a turn boundary where the caller can go on elsewhere. */
  drain(by: Instant): void {
    this.#leavingBy = by
    for (const { session } of this.#sessions.values()) sendOff(session, by)
  }

  /** Ends every session without waiting for anything. */
  stopAll(): void {
    for (const { session } of this.#sessions.values()) session.dispatch({ type: 'node_stopping' })
  }

  /** Resolves once no session is left and the ends of all have been stored, as far as the store is there. */
  async emptied(): Promise<void> {
    if (this.#sessions.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#emptied = resolve
      await promise
    }
    await this.#keeper.settled()
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
    for (const { session, slot } of this.#sessions.values()) session.tick(now, slot % rounds === this.#round)
    this.#keeper.round()
  }
}

function sendOff(session: LiveSession, by: Instant): void {
  session.dispatch({ type: 'node_draining', by, resumable: session.isResumable })
}
