import type { Clock } from '../../clock.ts'
import type { DoorConfig } from '../../config/config.ts'
import { FaultError } from '../../faults.ts'
import type { Message, Peer } from '../../frames/peer.ts'
import { type Instant, later, type Ms, ms } from '../../units.ts'
import { closeWith } from '../live/dismissal.ts'
import { Heartbeat } from './heartbeat.ts'
import { Pace } from './pace.ts'
import { type HoldReason, Valve } from './valve.ts'

/** What the caller's line tells the session. */
export interface CallerListener {
  message(message: Message): void
  binary(): void
  drained(): void
  /** The line is gone. `hungUp`: properly closed by the caller, not lost. */
  gone(hungUp: boolean): void
}

/** While input may not go on it is still read up to here, bytes, so that a caller who hangs up is noticed. */
const MOST_KEPT = 1_024 * 1_024

/** The reading half of the caller's connection, and whether there is one: pace, liveness, replacement. */
export class CallerLine {
  readonly valve = new Valve(null)
  readonly #clock: Clock
  readonly #listener: CallerListener
  readonly #messages: Pace
  readonly #volume: Pace
  /** Of audio, by the time it takes to speak; null while nothing limits it. */
  #speech: Pace | null = null
  #peer: Peer | null = null
  readonly #heartbeat = new Heartbeat()
  #whenReached: (() => void) | null = null
  /** Messages may not go on just now; those that have come all the same, and their bytes. */
  #isKeeping = false
  #kept: Message[] = []
  #keptBytes = 0
  /** Whether the caller has ever sent a message. */
  hasSpoken = false

  constructor(door: DoorConfig, clock: Clock, listener: CallerListener) {
    this.#clock = clock
    this.#listener = listener
    this.#messages = new Pace(door.messagesPerSecond, door.messageBurst)
    this.#volume = new Pace(door.bytesPerSecond, door.byteBurst)
  }

  get isThere(): boolean {
    return this.#peer !== null
  }

  /** Takes a new connection; an older one is told that it was replaced. */
  attach(peer: Peer): void {
    this.giveWay()
    this.#peer = peer
    this.#heartbeat.heard()
    this.valve.peer = peer
    peer.listen({
      message: (message) => this.#heard(peer, message),
      binary: () => this.#listener.binary(),
      drained: () => {
        if (peer === this.#peer) this.#listener.drained()
      },
      alive: (isAnswer) => {
        // One that was replaced says nothing of its successor.
        if (peer !== this.#peer) return
        this.#heartbeat.heard()
        if (isAnswer) this.#reached()
      },
      closed: (code) => {
        if (peer !== this.#peer) return
        this.release()
        this.#listener.gone(code === 1000 || code === 1005 || (code >= 3000 && code < 5000))
      },
    })
    if (this.valve.isOpen) peer.resume()
  }

  /** Tells the present connection, if there is one, that the session goes on at a newer one. */
  giveWay(): void {
    const older = this.release()
    if (older !== null) closeWith(older, new FaultError('replaced', 'A newer connection took over this session.'))
  }

  /** Lets go of the connection without closing it; whoever takes it closes it. */
  release(): Peer | null {
    const peer = this.#peer
    this.#peer = null
    this.#whenReached = null
    this.valve.peer = null
    this.#forget()
    return peer
  }

  /** Drops the connection as a broken line would. */
  drop(): void {
    this.release()?.terminate()
  }

  /** Calls `then` when what has been sent so far is known to have reached the present caller; never, should it be lost. */
  whenReached(then: () => void): void {
    this.#whenReached = then
    this.#peer?.ping()
  }

  #reached(): void {
    const then = this.#whenReached
    this.#whenReached = null
    then?.()
  }

  /** Every ping interval. False when the caller has missed too many: it is gone. */
  ping(): boolean {
    return this.#peer === null || !this.valve.isOpen || this.#heartbeat.ping(this.#peer)
  }

  #heard(peer: Peer, message: Message): void {
    if (peer !== this.#peer) return
    const now = this.#clock.now()
    this.#heartbeat.heard()
    this.hasSpoken = true
    this.#pace(message.text.length, now)
    if (!this.#isKeeping && this.#kept.length === 0) return this.#listener.message(message)
    this.#kept.push(message)
    this.#keptBytes += message.text.length
    if (this.#keptBytes >= MOST_KEPT) this.valve.hold('limit')
  }

  /** From now on messages wait here, and then in the caller's socket; or go on, in their order. */
  keep(isKeeping: boolean): void {
    this.#isKeeping = isKeeping
    // Never at once: whoever lets them go on is in the middle of something of its own.
    if (!isKeeping) process.nextTick(() => this.#goOn())
  }

  #goOn(): void {
    const kept = this.#kept
    let n = 0
    while (n < kept.length && !this.#isKeeping && kept === this.#kept) this.#listener.message(kept[n++] as Message)
    if (kept !== this.#kept) return
    const rest = kept.slice(n)
    if (rest.length === 0) return this.#forget()
    this.#kept = rest
    this.#keptBytes = rest.reduce((sum, { text }) => sum + text.length, 0)
  }

  #forget(): void {
    this.#kept = []
    this.#keptBytes = 0
    this.valve.release('limit')
  }

  /** From now on audio is taken `times` as fast as it is spoken, after `burst` of it. */
  paceAudio(times: number, burst: Ms): void {
    this.#speech = new Pace(1_000 * times, burst)
  }

  /** Audio has come that takes so long to speak. */
  audioCame(length: Ms): void {
    if (this.#speech === null) return
    const now = this.#clock.now()
    this.#holdFor('audio_too_fast', this.#speech.take(length, now), now)
  }

  #pace(length: number, now: Instant): void {
    this.#holdFor('too_fast', Math.max(this.#messages.take(1, now), this.#volume.take(length, now)), now)
  }

  /** What comes faster than its rate waits in the caller's own socket; nothing is dropped. */
  #holdFor(reason: HoldReason, wait: number, now: Instant): void {
    if (wait <= 0 || this.valve.isHeldFor(reason)) return
    this.valve.hold(reason)
    this.#clock.at(later(now, ms(wait)), () => this.valve.release(reason))
  }
}
