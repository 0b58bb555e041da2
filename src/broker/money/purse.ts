import type { Clock } from '../../clock.ts'
import { FaultError } from '../../faults.ts'
import type { Message } from '../../frames/peer.ts'
import type { GateEffect, GatePolicy } from '../../limits/gate-state.ts'
import { plus } from '../../limits/holding.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import type { BudgetLevel, Refusal } from '../../limits/limits.ts'
import { type Ms, ms, type Tokens, wholeMs } from '../../units.ts'
import type { ParleyServerEvent } from '../../wire/parley-events.ts'
import { ownEventId } from '../lines/own-event.ts'
import { child, count, type Loose, text } from '../lines/provider-events.ts'
import { GateRunner } from './gate-runner.ts'
import type { SessionBooks } from './session-books.ts'
import { LOOK_AGAIN, type ResponseWish, USUAL } from './session-meter.ts'
import type { TurnControl } from './turn-control.ts'

/** How a plan throttles. */
export interface PursePolicy extends GatePolicy {
  /** The smallest answer that is of any use. */
  readonly smallestResponse: Tokens
  /** Shares of a budget at which the caller is warned, percent, lowest first. */
  readonly budgetWarnings: readonly number[]
  /** How many times faster than it is spoken audio is taken, after so much of it at once. */
  readonly inputPace: number
  readonly inputBurst: Ms
}

/** What the purse asks of the session it belongs to. */
export interface PursePort {
  /** An event of the broker's own, to the provider. */
  command(event: Loose): void
  /** A caller's event on its way to the provider. */
  forward(message: Message): void
  /** An `error` about a caller's event, to the caller. */
  refuse(fault: FaultError, eventId: string | null): void
  tell(event: ParleyServerEvent): void
  /** A standard event of the broker's own, to the caller. */
  emit(event: Loose): void
  /** From now on audio is taken `times` as fast as it is spoken, after `burst` of it. */
  paceAudio(times: number, burst: Ms): void
  /** Audio has been taken that takes so long to speak. */
  audioTaken(length: Ms): void
  /** Whatever else the caller sends waits in front of the session, or goes on. */
  holdInput(isHeld: boolean): void
  /** A response is to come that nobody has asked the provider for. */
  responseExpected(): void
  /** Nothing comes of a response that was expected. */
  responseRefused(): void
  end(reason: Extract<GateEffect, { type: 'end' }>['reason']): void
  /** A budget has passed one of its marks, for whoever else wants to know. */
  budgetPassed(level: BudgetLevel): void
}

/** A response that waits for the gate. */
type Held = { wish: ResponseWish; kind: 'response' | 'apart' } & (
  | { by: 'caller'; event: Loose; message: Message }
  /** The provider would have started it after a spoken turn. */
  | { by: 'turn' }
  /** The broker's own: a nudge, a goodbye. */
  | { by: 'broker'; response: Loose }
)

/** The response to a spoken turn; there is never more than one of them. */
const TURN = 'turn'
/** Starts whose refusal would be known by its event's id. */
const MOST_STARTING = 64

/** A session's money and rate: everything that makes the provider speak goes through here. */
export class Purse implements Disposable {
  readonly #books: SessionBooks
  readonly #turns: TurnControl
  readonly #policy: PursePolicy
  readonly #port: PursePort
  readonly #gate: GateRunner
  readonly #held = new Map<string, Held>()
  #asked = 0
  /** By the id of the event that asked the provider for it: responses that may still be refused. */
  readonly #starting = new Map<string, string>()
  #holdsInput = false
  /** Audio that could not be paid for when it came. */
  #kept: Message | null = null
  /** Audio that turns may be taken out of, when the need was last looked at. */
  #lookedAt = ms(0)
  #marksPassed = 0

  constructor(
    books: SessionBooks,
    turns: TurnControl,
    policy: PursePolicy,
    deps: { store: LimitStore; clock: Clock },
    port: PursePort,
  ) {
    this.#books = books
    this.#turns = turns
    this.#policy = policy
    this.#port = port
    const { session, accounts } = books.options
    this.#gate = new GateRunner(
      session,
      accounts,
      policy,
      { ...deps, settled: () => books.settled() },
      {
        perform: (effect) => this.#perform(effect),
        levelIs: (level) => this.levelIs(level),
      },
    )
  }

  /** Before the caller is let in: resolves once it is known who starts responses. */
  async open(): Promise<void> {
    this.#port.paceAudio(this.#policy.inputPace, this.#policy.inputBurst)
    this.look()
    await this.#gate.answered
  }

  /** Nothing is bought any more, and nothing waited for. */
  [Symbol.dispose](): void {
    this.withdraw('all')
    this.#kept = null
    this.#gate[Symbol.dispose]()
  }

  get isHolding(): boolean {
    return this.#held.size > 0
  }

  // ---- what the caller does ----

  /** A caller's `response.create`: passes it on now, later, smaller, or not at all. */
  asked(event: Loose, message: Message): void {
    this.#ask(`asked ${++this.#asked}`, {
      by: 'caller',
      event,
      message,
      kind: kindOf(child(event, 'response')),
      wish: wishOf(event, message),
    })
  }

  /** The broker's own wish for a response. */
  ask(response: Loose): void {
    this.#ask(`own ${++this.#asked}`, {
      by: 'broker',
      response,
      kind: kindOf(response),
      wish: wishOf({ response }, null),
    })
  }

  /** The caller cancels, or speaks over what it has not been answered yet. */
  withdraw(which: 'all' | 'turn'): void {
    for (const [key] of this.#held) {
      if (which === 'turn' && key !== TURN) continue
      this.#held.delete(key)
      this.#gate.dispatch({ type: 'withdrawn', key })
      this.#port.responseRefused()
    }
  }

  /** Audio is on its way; most of it changes nothing. */
  audioCame(length: Ms): void {
    this.#port.audioTaken(length)
    if (this.#books.meter.untaken - this.#lookedAt > LOOK_AGAIN) this.look()
  }

  /** True when a message of audio is kept here until it can be paid for. Asked with every frame. */
  keeps(message: Message): boolean {
    if (this.#holdsInput) this.#kept = message
    return this.#holdsInput
  }

  /** What the next response may cost has changed. */
  look(): void {
    const { meter } = this.#books
    for (const [key, { wish }] of this.#held) {
      const [most, least] = [meter.most(wish), meter.least(wish, this.#policy.smallestResponse)]
      this.#gate.dispatch({ type: 'estimated', key, most, least })
    }
    this.#gate.dispatch({ type: 'need_changed', need: this.#need() })
  }

  #need() {
    const { meter } = this.#books
    this.#lookedAt = meter.untaken
    return meter.next()
  }

  // ---- what the provider does ----

  /** A turn was committed that the caller expects an answer to. */
  answerTurn(): void {
    this.withdraw('turn')
    this.#port.responseExpected()
    this.#ask(TURN, { by: 'turn', kind: 'response', wish: USUAL })
  }

  responseStarted(id: string, isApart: boolean): void {
    this.#gate.dispatch({
      type: 'opened',
      id,
      cost: this.#books.meter.most(USUAL),
      kind: isApart ? 'apart' : 'response',
    })
  }

  /** The provider has refused an event. `isForOther`: because the conversation has a response already. */
  refused(eventId: string | null, isForOther: boolean): void {
    const key = this.#starting.get(eventId ?? '') ?? null
    this.#starting.delete(eventId ?? '')
    if (key === null && !isForOther) return
    this.#gate.dispatch({ type: 'not_started', key })
    this.#port.responseRefused()
  }

  /** Speech became a turn that is written down. */
  turnTaken(itemId: string, length: Ms): void {
    const cost = this.#books.meter.transcription(length)
    this.#gate.dispatch({ type: 'turn_taken', id: `t ${itemId}`, cost, need: this.#need() })
  }

  /** Something is over. `spent`: what it was booked at; nothing where it was booked before, or cost nothing. */
  closed(id: string, spent: { money: number; tokens: number } | null): void {
    const none = { money: 0, tokens: 0 }
    this.#gate.dispatch({ type: 'closed', id, spent: (spent ?? none) as never })
    this.look()
  }

  levelIs(level: BudgetLevel | null): void {
    if (level === null || level.cap <= 0) return
    // The next answer's least is as good as spent: without room for it the session ends, and a warning must come before.
    const { meter } = this.#books
    const next = plus(meter.least(USUAL, this.#policy.smallestResponse), meter.writingAhead()).money
    const percent = Math.floor(((level.spent + next) / level.cap) * 100)
    const marks = this.#policy.budgetWarnings
    const passed = marks.filter((mark) => percent >= mark).length
    if (passed <= this.#marksPassed) return
    this.#marksPassed = passed
    const { account, limit, spent, cap } = level
    this.#port.tell({
      type: 'parley.budget_warning',
      account,
      limit,
      percent: marks[passed - 1] ?? percent,
      spent_nano_usd: spent,
      next_nano_usd: next,
      cap_nano_usd: cap,
    })
    this.#port.budgetPassed(level)
  }

  // ---- the gate ----

  #ask(key: string, held: Held): void {
    this.#held.set(key, held)
    const { meter } = this.#books
    const [most, least] = [meter.most(held.wish), meter.least(held.wish, this.#policy.smallestResponse)]
    this.#gate.dispatch({ type: 'asked', response: { key, kind: held.kind, most, least } })
  }

  #perform(effect: Exclude<GateEffect, { type: 'reserve' }>): void {
    switch (effect.type) {
      case 'take_over':
        return this.#command(this.#turns.take())
      case 'give_back':
        return this.#command(this.#turns.giveBack())
      case 'start': {
        const held = this.#held.get(effect.key)
        this.#held.delete(effect.key)
        if (held !== undefined) this.#start(effect.key, held, this.#books.meter.clamp(held.wish, effect.held))
        return
      }
      case 'delay':
        return this.#throttled('delayed', effect.refusal, effect.wait)
      case 'refuse': {
        const held = this.#held.get(effect.key)
        this.#held.delete(effect.key)
        return this.#refuse(held, effect.refusal)
      }
      case 'cancel':
        this.#port.command({ type: 'response.cancel', response_id: effect.id })
        // It was to answer a turn, which must not be left without an answer.
        if (this.#turns.expectsResponses && !this.#held.has(TURN)) this.answerTurn()
        return
      case 'hold_input':
        this.#holdsInput = true
        return this.#port.holdInput(true)
      case 'take_input':
        this.#holdsInput = false
        if (this.#kept !== null) this.#port.forward(this.#kept)
        this.#kept = null
        return this.#port.holdInput(false)
      case 'delay_input':
        return this.#throttled('delayed', effect.refusal, effect.wait)
      case 'end':
        return this.#port.end(effect.reason)
    }
  }

  #command(event: Loose | null): void {
    if (event !== null) this.#port.command(event)
  }

  /** `clamp`: the longest answer there is room for; null where that is as long as it may be anyway. */
  #start(key: string, held: Held, clamp: Tokens | null): void {
    if (held.by === 'caller') {
      this.#startsBy(text(held.event, 'event_id'), key)
      if (clamp === null) return this.#port.forward(held.message)
      const response = { ...(child(held.event, 'response') ?? {}), max_output_tokens: clamp }
      return this.#port.forward({ text: Buffer.from(JSON.stringify({ ...held.event, response })), frame: null })
    }
    const given = held.by === 'broker' ? held.response : {}
    const response = clamp === null ? given : { ...given, max_output_tokens: clamp }
    const create = { event_id: ownEventId(), type: 'response.create' }
    this.#startsBy(create.event_id, key)
    this.#port.command(Object.keys(response).length === 0 ? create : { ...create, response })
  }

  #startsBy(eventId: string | null, key: string): void {
    if (eventId === null) return
    this.#starting.set(eventId, key)
    if (this.#starting.size <= MOST_STARTING) return
    for (const oldest of this.#starting.keys()) {
      this.#starting.delete(oldest)
      break
    }
  }

  #refuse(held: Held | undefined, refusal: Refusal): void {
    this.#throttled('refused', refusal, refusal.wait)
    this.#port.responseRefused()
    if (held === undefined || held.by === 'broker') return
    const isMoney = refusal.limit !== 'tokens'
    const again = refusal.wait === null ? '' : ` Please try again in ${(refusal.wait / 1_000).toFixed(1)}s.`
    const fault = isMoney
      ? new FaultError('budget_spent', `The budget of this ${refusal.account} is used up.`)
      : new FaultError('rate_limited', `Rate limit reached for tokens per minute (${refusal.account}).${again}`)
    this.#port.refuse(fault, held.by === 'caller' ? text(held.event, 'event_id') : null)
  }

  #throttled(action: 'delayed' | 'refused', { account, limit }: Refusal, wait: number | null): void {
    const wait_ms = wait === null ? null : wholeMs(wait)
    this.#port.tell({ type: 'parley.throttled', action, account, limit, wait_ms })
  }
}

const kindOf = (response: Loose | null) => (response?.conversation === 'none' ? 'apart' : 'response')

function wishOf(event: Loose, message: Message | null): ResponseWish {
  const response = child(event, 'response')
  if (response === null) return USUAL
  const asked = response.max_output_tokens
  const own = { instructions: response.instructions, input: response.input, tools: response.tools }
  const extraBytes = message?.text.length ?? Buffer.byteLength(JSON.stringify(own))
  return {
    maxOutput: typeof asked === 'number' ? (count(response, 'max_output_tokens') as Tokens) : null,
    extraBytes,
    isApart: response.conversation === 'none' && isSelfContained(response.input),
  }
}

/** Reads nothing of the conversation: a reference to an item may be to any of them. */
function isSelfContained(input: unknown): boolean {
  return Array.isArray(input) && input.every((item) => text(item, 'type') !== 'item_reference')
}
