import type { Clock } from '../../clock.ts'
import { FaultError } from '../../faults.ts'
import type { Message, Peer } from '../../frames/peer.ts'
import { between, type Instant, seconds } from '../../units.ts'
import type { Greeting } from './greeting.ts'
import { Heartbeat } from './heartbeat.ts'
import { LastWords } from './last-words.ts'
import { ownEvent } from './own-event.ts'
import { type Loose, parseProviderEvent } from './provider-events.ts'
import { Valve } from './valve.ts'

/** What the provider's line tells the session. */
export interface ProviderListener {
  /** The provider is ready; `created` is what the caller is to see as `session.created`. */
  ready(created: Loose): void
  /** The provider refused the session while it was being set up. */
  refused(fault: FaultError): void
  message(message: Message): void
  drained(): void
  /** The line is gone. `ended`: the provider closed properly; otherwise it was lost. */
  gone(ended: boolean): void
}

/** A provider that says nothing for this long in the middle of a response is gone. */
const LONGEST_SILENCE = seconds(15)

/**
 * What is still read once nobody listens any more, bytes. More than the longest answer there is: 4,096 tokens of audio last
 * 205 s, 13 MiB as base64. So whoever says it all and then what it cost is heard to the end.
 */
const MOST_UNHEARD = 16 * 1_024 * 1_024

/** Closures that say "lost", not "over": no frame, or a server error (RFC 6455, 7.4.1). */
const LOST_CODES: ReadonlySet<number> = new Set([1005, 1006, 1011, 1012, 1013])

/** The provider's connection: greeted first, then read; watched for silence. */
export class ProviderLine {
  readonly valve = new Valve(null)
  readonly #clock: Clock
  readonly #listener: ProviderListener
  #peer: Peer | null = null
  #greeting: Greeting | null
  readonly #heartbeat = new Heartbeat()
  #leaving: LastWords | null = null
  #left: () => void = () => undefined
  /** When the provider was last heard. */
  heardAt: Instant
  /** How the provider closed, when it did so properly. */
  closure: { code: number; reason: string } | null = null

  constructor(greeting: Greeting, clock: Clock, listener: ProviderListener) {
    this.#greeting = greeting
    this.#clock = clock
    this.#listener = listener
    this.heardAt = clock.now()
  }

  /** The provider has been reached, and has sent its first event. */
  attach(peer: Peer, first: Message): void {
    this.#peer = peer
    this.valve.peer = peer
    this.heardAt = this.#clock.now()
    peer.listen({
      message: (message) => this.#heard(message),
      binary: () => undefined,
      drained: () => this.#listener.drained(),
      alive: () => this.#heartbeat.heard(),
      closed: (code, reason) => {
        this.#leaving?.end()
        if (peer !== this.#peer) return
        this.#release()
        const ended = !LOST_CODES.has(code)
        if (ended) this.closure = { code, reason }
        this.#listener.gone(ended)
      },
    })
    this.#heard(first)
    if (this.valve.isOpen) peer.resume()
  }

  /** Passes a message on; returns the backlog it left, bytes. */
  forward(message: Message): number {
    const peer = this.#peer
    if (peer === null) return 0
    peer.forward(message)
    return peer.backlog
  }

  /** An event of the broker's own. */
  command(event: Loose): void {
    this.#peer?.send(ownEvent(event))
  }

  /** The caller is gone for good: what still comes is read for what it costs, kept nowhere, and not without end. */
  readOut(): void {
    this.#peer?.readOut(MOST_UNHEARD)
  }

  /**
   * `turn`: the provider may be taking a turn out of the audio it has been sent. Then its buffer is emptied first and the
   * line stays until it says so: what it has begun before is heard of, and is cancelled and booked.
   */
  close(turn: { isTranscribed: boolean } | null): void {
    const peer = this.#release()
    if (peer === null || turn === null || !peer.isOpen) return peer?.close(1000, '')
    this.#leaving = new LastWords(this.#clock, peer, turn.isTranscribed, () => {
      this.#leaving = null
      peer.close(1000, '')
      this.#left()
    })
    peer.resume()
  }

  /** Calls back once nothing more will be heard: at once, except after `close` where a turn may be being taken. */
  whenLeft(then: () => void): void {
    if (this.#leaving === null) then()
    else this.#left = then
  }

  /** Silent for too long although it was being read. */
  isSilent(now: Instant): boolean {
    return this.#peer !== null && this.valve.isOpen && between(this.heardAt, now) > LONGEST_SILENCE
  }

  /** Every ping interval. False when the provider has missed too many: it is gone. */
  ping(): boolean {
    return this.#peer === null || !this.valve.isOpen || this.#heartbeat.ping(this.#peer)
  }

  /** Treats the line as lost. */
  lose(): void {
    this.#release()?.terminate()
    this.#listener.gone(false)
  }

  #release(): Peer | null {
    const peer = this.#peer
    this.#peer = null
    this.valve.peer = null
    return peer
  }

  #heard(message: Message): void {
    this.heardAt = this.#clock.now()
    this.#heartbeat.heard()
    if (this.#greeting === null) {
      const event = this.#leaving === null ? null : parseProviderEvent(message.text)
      this.#listener.message(message)
      if (event !== null) this.#leaving?.hear(event)
    } else this.#greet(this.#greeting, message.text)
  }

  #greet(greeting: Greeting, bytes: Buffer): void {
    const event = parseProviderEvent(bytes)
    if (event === null) return
    const verdict = greeting.hears(event)
    switch (verdict.is) {
      case 'wait':
        return
      case 'send':
        for (const message of greeting.messages) this.#peer?.send(message)
        return
      case 'failed':
        return this.#listener.refused(
          new FaultError('upstream_unavailable', `The model provider refused the session (${verdict.code}).`),
        )
      case 'done':
        this.#greeting = null
        this.#listener.ready(verdict.created)
    }
  }
}
