import { FaultError } from '../../faults.ts'
import type { Message, Peer } from '../../frames/peer.ts'
import type { EndReason } from '../../session/end-reason.ts'
import type { SessionPolicy } from '../../session/policy.ts'
import { begin, type Effect, type SessionEvent, type SessionState } from '../../session/state.ts'
import { idleDeadline } from '../../session/talk.ts'
import { NO_USAGE, type SessionHead, type SessionTail, type SessionUsage } from '../../store/session-records.ts'
import { between, type Instant, later, seconds, wholeMs } from '../../units.ts'
import type { Reached } from '../../upstream/upstreams.ts'
import { ResumeTicket } from '../entry/resume-token.ts'
import { CallerLine } from '../lines/caller-line.ts'
import { Ear } from '../lines/ear.ts'
import { EventRing } from '../lines/event-ring.ts'
import { Outbox } from '../lines/outbox.ts'
import { child, countIn, type Loose } from '../lines/provider-events.ts'
import { ProviderLine } from '../lines/provider-line.ts'
import { pursePort } from '../money/purse-port.ts'
import type { SessionMoney } from '../money/session-money.ts'
import type { Bought } from '../money/till.ts'
import { CallerIntake } from './caller-intake.ts'
import { dismiss } from './dismissal.ts'
import { dressSession } from './effective-session.ts'
import { Introduction } from './introduction.ts'
import { Journal, type JournalItem } from './journal.ts'
import type { LiveSessionDeps, LiveSessionOptions } from './live-session-options.ts'
import { noticeOf } from './notices.ts'
import { ProviderIntake } from './provider-intake.ts'
import { SessionTimeline } from './session-timeline.ts'
import { updateFor } from './session-update.ts'
import { StateRunner } from './state-runner.ts'

/** How long what was sent is kept for a caller that can come back (reference: hardening, a session that survives). */
const RING_AGE = seconds(30)

/**
 * One session at work: the impure half. It turns frames into events, stores what `transition` decides, keeps one timer
 * aimed at the state's own deadline, and performs the effects.
 */
export class LiveSession {
  readonly head: SessionHead
  readonly policy: SessionPolicy
  readonly speaksParley: boolean
  readonly startedAt: Instant
  readonly journal: Journal | null
  readonly timeline: SessionTimeline
  readonly #usage: SessionUsage
  readonly intake: CallerIntake
  readonly provider: ProviderIntake
  readonly #deps: LiveSessionDeps
  readonly #caller: CallerLine
  readonly #upstream: ProviderLine
  readonly #outbox: Outbox
  readonly #runner: StateRunner
  readonly #ear: Ear
  #rawSession: Loose | null
  readonly #introduction: Introduction
  readonly #carriedOver: LiveSessionOptions['carriedOver']
  /** A returning caller has shown its token and is about to be let in. */
  #isComing = false
  /** The provider has been reached, and the caller could speak. */
  wasLetIn = false
  /** Why the provider could not be had, in words a caller understands. */
  #fault: FaultError | null = null
  #farewell: () => void = () => undefined
  /** Null until a provider has been reached. */
  #money: SessionMoney | null = null
  #bought: Bought | null = null

  constructor(options: LiveSessionOptions, deps: LiveSessionDeps) {
    const now = deps.clock.now()
    const { door, clock } = deps
    this.#deps = deps
    this.head = options.head
    this.policy = options.policy
    this.speaksParley = options.speaksParley
    this.startedAt = now
    this.timeline = new SessionTimeline(clock)
    this.#carriedOver = options.carriedOver
    this.#usage = { ...(options.carriedOver?.usage ?? NO_USAGE) }
    this.#rawSession = options.carriedOver?.tail.session ?? null
    this.#ear = new Ear(deps.voices, (event) => this.dispatch(event))

    const resumable = options.speaksParley && options.policy.resumeWindow !== null
    const items = (options.carriedOver?.tail.items ?? []) as unknown as JournalItem[]
    this.journal = resumable ? Journal.from(items) : null
    const counted = Math.max(options.carriedOver?.tail.seq ?? 0, options.carriedOver?.seen ?? 0)
    const ticket = resumable ? new ResumeTicket(this.head.id, (hash) => deps.rotated(this, hash)) : null
    const ring = resumable ? new EventRing(deps.ringBytes, RING_AGE, counted) : null

    this.#caller = new CallerLine(door, clock, {
      message: (message) => {
        if (this.state.phase === 'live') this.intake.message(message)
      },
      binary: () => this.intake.binary(),
      drained: () => this.#outbox.drained(),
      gone: (hungUp) => this.#callerGone(hungUp),
    })
    this.#upstream = new ProviderLine(options.greeting, clock, {
      ready: (created) => this.#ready(created),
      refused: (fault) => this.failed(fault),
      message: (message) => this.provider.message(message),
      drained: () => this.#caller.valve.release('other_side_slow'),
      gone: (ended) => this.dispatch({ type: 'upstream_closed', ended }),
    })
    const bounds = { soft: door.softBacklog, hard: door.hardBacklog }
    this.#outbox = new Outbox(ring, bounds, this.#upstream.valve, this.speaksParley, this.timeline)
    this.#introduction = new Introduction(clock, this.head.id, this.policy, this.endsAt, this.#outbox, ticket)
    this.intake = new CallerIntake(
      {
        toProvider: (message) => {
          if (this.#upstream.forward(message) > door.softBacklog) this.#caller.valve.hold('other_side_slow')
        },
        toCaller: (event) => this.say(Buffer.from(event)),
        sessionUpdate: (event, message) => updateFor(event, message, this.head.model, this.#bought, this.#money),
        money: () => this.#money,
        dispatch: (event) => this.dispatch(event),
        heard: (message, audio) => this.#ear.hear(message, audio),
        acknowledged: (seq) => ring?.acknowledge(seq),
        seen: (type) => this.timeline.caller(type),
        pinged: () => this.#outbox.tell({ type: 'parley.pong' }),
      },
      options.ceilings,
      options.grant,
    )
    this.provider = new ProviderIntake(
      {
        dispatch: (event) => this.dispatch(event),
        heardAt: () => this.#upstream.heardAt,
        seen: (type, event) => this.timeline.provider(type, event),
        forward: (message) => this.#forward(message),
        sessionChanged: (session, raw) => {
          this.#rawSession = raw
          this.#ear.listen(session.turnDetection === null ? session.input : null)
        },
        money: () => this.#money,
        dress: (event) => dressSession(event, this.head.model, this.endsAt),
        used: (usage) => countIn(this.#usage, usage),
      },
      this.journal,
    )
    this.#caller.valve.hold('opening')
    this.#runner = new StateRunner(begin(now, options.head.admitted as Instant), this.policy, clock, {
      // Deltas are only counted as they pass; the state learns of them before anything is decided.
      before: () => this.provider.takeAudio(),
      phaseChanged: (from, to) => deps.phaseChanged(this, from, to),
      perform: (effect, at) => this.#perform(effect, at),
    })
  }

  /** Summed over the session, on whatever nodes it has been. */
  get usage(): SessionUsage {
    const spent = this.#money?.books.spent ?? 0
    return { ...this.#usage, cost_nano_usd: this.#usage.cost_nano_usd + spent }
  }

  get state(): SessionState {
    return this.#runner.state
  }

  /** Does the caller hold a token it can come back with? */
  get isResumable(): boolean {
    return this.resumeHash !== ''
  }

  /** SHA-256 of the token that is good now, hex; empty when none is. */
  get resumeHash(): string {
    if (this.wasLetIn) return this.#introduction.tokenHash
    // A caller that came from another node and was never let in here comes back with the token it has.
    return this.#carriedOver?.tokenHash ?? ''
  }

  /** When the length cap ends the session. */
  get endsAt(): Instant {
    return later(this.head.admitted as Instant, this.policy.maxDuration)
  }

  /** When the idle cutoff comes if nothing happens; null while the clock is held. */
  get idleEndsAt(): Instant | null {
    return this.state.phase === 'live' ? idleDeadline(this.state.talk, this.policy) : null
  }

  /** What a successor needs to go on. */
  get tail(): SessionTail {
    const items = (this.journal?.items() ?? []) as unknown as SessionTail['items']
    return { seq: this.#outbox.ring?.seq ?? 0, session: this.#rawSession, items }
  }

  // ---- events in ----

  dispatch(event: SessionEvent): void {
    this.#runner.dispatch(event)
  }

  // ---- effects out ----

  #perform(effect: Effect, now: Instant): void {
    switch (effect.type) {
      case 'warn_length':
      case 'warn_idle':
      case 'idle_over':
      case 'announce_drain':
        return this.#outbox.tell(noticeOf(effect, now))
      case 'ask_model': {
        const limit = effect.maxOutputTokens === null ? {} : { max_output_tokens: effect.maxOutputTokens }
        const response = { instructions: effect.instructions, ...limit }
        if (this.#money?.ask(response) !== true) this.#upstream.command({ type: 'response.create', response })
        return
      }
      case 'cancel_responses':
        for (const response_id of effect.ids) this.#upstream.command({ type: 'response.cancel', response_id })
        return
      case 'parked':
        this.#outbox.attach(null)
        return this.#caller.drop()
      case 'returned':
        return
      case 'dismiss_caller':
        // Nobody comes back for what is kept: what the provider still owes is read again.
        this.#upstream.readOut()
        this.#upstream.valve.release('replay_full')
        this.#money?.stop()
        return this.#dismiss(effect.reason, now)
      case 'close_upstream':
        this.#ear.listen(null)
        return this.#upstream.close(this.#money?.possibleTurn ?? null)
      case 'ended':
        return this.#upstream.whenLeft(() => {
          this.#money?.close(now, effect.reason === 'idle_timeout' ? this.endsAt : null)
          void this.#deps.ended(this, effect.reason).then(() => this.#farewell())
        })
    }
  }

  #dismiss(reason: EndReason, now: Instant): void {
    if (!this.#caller.isThere) return
    const duration_ms = wholeMs(between(this.head.admitted as Instant, now))
    this.#outbox.tell({ type: 'parley.session_ended', reason, duration_ms, usage: this.usage })
    this.#outbox.attach(null)
    const peer = this.#caller.release()
    if (peer === null) return
    const { policy, isResumable } = this
    const say = () => {
      const closure = this.#upstream.closure
      dismiss(this.#deps.parting(this, peer, reason), reason, { policy, isResumable, fault: this.#fault, closure })
    }
    // Who is sent to another node must find the session there.
    if (reason === 'going_away' && isResumable) this.#farewell = say
    else say()
  }

  // ---- the provider's side ----

  /** The provider has been reached. */
  opened({ peer, first, provider, model }: Reached): void {
    if (this.state.phase !== 'opening') return peer.terminate()
    this.#bought = { provider, model }
    try {
      this.#money = this.#deps.money(this.#bought, pursePort(this, this.#upstream, this.#outbox, this.#caller))
    } catch (error) {
      peer.terminate()
      if (!(error instanceof FaultError)) throw error
      return this.failed(error)
    }
    this.#upstream.attach(peer, first)
  }

  /** No provider could be reached, or none took the session. */
  failed(fault: FaultError): void {
    this.#fault = fault
    this.dispatch({ type: 'upstream_failed' })
  }

  #ready(created: Loose): void {
    this.provider.learn(created)
    const opening = this.#money?.open(child(created, 'session') ?? {}, this.provider.rates) ?? null
    if (opening === null) return this.#letIn(created)
    // Who starts responses is settled before anybody speaks.
    this.#upstream.valve.hold('opening')
    void opening.then(() => {
      this.#upstream.valve.release('opening')
      this.#letIn(created)
    })
  }

  #letIn(created: Loose): void {
    this.dispatch({ type: 'upstream_opened' })
    if (this.state.phase !== 'live') return
    this.wasLetIn = true
    this.#caller.valve.release('opening')
    const carriedOver = this.#carriedOver
    if (carriedOver === null) {
      const dressed = dressSession(created, this.head.model, this.endsAt)
      this.say(dressed ?? Buffer.from(JSON.stringify(created)))
      void this.#introduction.introduce(null)
      return
    }
    // This caller has had its `session.created` long ago.
    const { tail, seen } = carriedOver
    void this.#introduction.introduce(carriedOver.tokenHash).then(() => {
      this.#caller.whenReached(() => this.#introduction.arrived())
      if (tail.seq > seen)
        this.#outbox.tell({ type: 'parley.gap', from: seen + 1, to: tail.seq, items: this.tail.items })
      this.#outbox.tell({ type: 'parley.restored', items: tail.items.length })
    })
  }

  /** A standard event of the broker's own, to the caller. */
  say(event: Buffer): void {
    this.#forward({ text: event, frame: null })
  }

  #forward(message: Message): void {
    const { phase } = this.state
    if (phase !== 'live' && phase !== 'parked') return
    if (phase === 'parked' && this.#outbox.ring?.isFullFor(message.text.length) === true) {
      // Nothing may be lost to a caller who comes back: the rest waits where it is.
      this.#upstream.valve.hold('replay_full')
      this.dispatch({ type: 'replay_full' })
    }
    if (!this.#outbox.forward(message, this.#upstream.heardAt)) this.#giveUpReader()
  }

  // ---- the caller's side ----

  /** A connection of the caller's, the first or the next. */
  admit(peer: Peer): void {
    this.#caller.attach(peer)
    this.#outbox.attach(peer)
  }

  /** Uses up the token handed out last, if a caller that has seen frame number `seen` can go on from there. */
  take(tokenHash: string, seen: number): boolean {
    const isTaken = this.#introduction.take(tokenHash, seen, !this.#isComing && !this.#caller.isThere)
    this.#isComing ||= isTaken
    return isTaken
  }

  /** Whoever took the token could not be let in. */
  stayedAway(): void {
    this.#isComing = false
  }

  /**
   * A caller with the right token is back and has seen frame number `seen`. Its older connection, if there still is one,
   * is replaced. Resolves to false when the session has ended meanwhile.
   */
  async resume(peer: Peer, seen: number): Promise<boolean> {
    const token = await this.#introduction.issue()
    if (this.state.phase === 'live') {
      this.#outbox.attach(null)
      this.#caller.giveWay()
      this.dispatch({ type: 'caller_dropped', resumable: true })
    }
    this.#isComing = false
    const replay = this.#outbox.ring?.since(seen) ?? null
    if (this.state.phase !== 'parked' || replay === null) return false
    this.admit(peer)
    this.#introduction.tell(token, true, replay.gap === null ? seen : replay.gap.to)
    this.#caller.whenReached(() => this.#introduction.arrived())
    if (replay.gap !== null) this.#outbox.tell({ type: 'parley.gap', ...replay.gap, items: this.tail.items })
    this.#outbox.replay(replay.frames)
    this.#upstream.valve.release('replay_full')
    this.dispatch({ type: 'caller_returned' })
    return true
  }

  #callerGone(hungUp: boolean): void {
    this.#outbox.attach(null)
    if (hungUp) this.dispatch({ type: 'caller_hung_up' })
    else this.dispatch({ type: 'caller_dropped', resumable: this.isResumable && this.#deps.mayPark() })
  }

  #giveUpReader(): void {
    this.#deps.log.info({ sessionId: this.head.id }, 'caller reads too slowly')
    const resumable = this.isResumable && this.#deps.mayPark()
    if (resumable) this.dispatch({ type: 'caller_dropped', resumable })
    else this.dispatch({ type: 'end_requested', reason: 'reader_too_slow' })
  }

  /** Looks after what no deadline of the state names: half-open lines, slow readers, a provider that fell silent. */
  tick(now: Instant, pingNow: boolean): void {
    const slow = this.#outbox.slowSince
    if (slow !== null && between(slow, now) > this.#deps.door.slowReader) this.#giveUpReader()
    const { state } = this
    if (state.phase !== 'live' && state.phase !== 'parked') return
    const isAsked = state.talk.awaitingSince !== null && this.#money?.isHolding !== true
    if ((isAsked || state.talk.responses.size > 0) && this.#upstream.isSilent(now)) return this.#upstream.lose()
    if (!this.#caller.hasSpoken && between(this.startedAt, now) > this.#deps.door.firstEvent) {
      return this.dispatch({ type: 'end_requested', reason: 'idle_timeout' })
    }
    if (!pingNow) return
    if (!this.#upstream.ping()) return this.#upstream.lose()
    if (!this.#caller.ping()) {
      this.#caller.drop()
      this.#callerGone(false)
    }
  }
}
