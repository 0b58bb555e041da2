import { expect } from 'vitest'
import { gate, gateDeadline } from '../../src/limits/gate.ts'
import {
  type Bought,
  type GateEffect,
  type GateEvent,
  type GatePolicy,
  type GateState,
  type Need,
  openGate,
} from '../../src/limits/gate-state.ts'
import type { BudgetLevel, Holding, Refusal } from '../../src/limits/limits.ts'
import { instant, ms, type NanoUsd, type Tokens } from '../../src/units.ts'

/** What happens to a gate from outside. Amounts are whole units, of money and of tokens alike. */
export type Deed =
  | {
      do: 'ask'
      most: number
      least: number
      apart: boolean
      fate: 'starts' | 'refused' | 'lost' | 'late'
      share: number
    }
  | { do: 'withdraw' }
  | { do: 'need'; next: number }
  /** The provider starts a response by itself, whether it may or not. */
  | { do: 'own'; cost: number }
  /** The caller sends audio that costs so much to write down; the provider takes a turn out of all that it has. */
  | { do: 'speak'; cost: number }
  | { do: 'turn'; share: number }
  /** What others hold of the money and of the rate. */
  | { do: 'others'; held: number }
  /** A store that is away may do what it was asked, and only its answer is lost. */
  | { do: 'store'; isAway: boolean; isHeard: boolean; latency: number }

export interface WorldRules {
  policy: GatePolicy
  /** Money that there is for ever, tokens in any minute. */
  cap: number
  rate: number
  latency: number
  /** What is said is written down. */
  isWritten: boolean
}

export interface Ask {
  key: string
  at: number
  most: number
  least: number
  out: 'start' | 'refuse' | 'withdrawn' | null
  outAt: number
}

export interface Seen {
  at: number
  event: GateEvent
  before: GateState
  state: GateState
  effects: readonly GateEffect[]
}

const hold = (n: number, tokens = n): Holding => ({ money: n as NanoUsd, tokens: tokens as Tokens })
/** A store that is away answers so late. */
export const STORE_TIMEOUT = 300
const MINUTE = 60_000
/** Audio that costs so much passes before the gate is asked again; so much more is paid for in advance. */
const LOOK_AGAIN = 5
const AHEAD = 15

/** A provider, a shared store and a clock around one gate, all in simulated time. */
export class GateWorld {
  now = 0
  state: GateState = openGate(instant(0))
  readonly seen: Seen[] = []
  readonly asks = new Map<string, Ask>()
  readonly rules: WorldRules
  /** Held in the store by this session. */
  lease = hold(0)
  /** By response: what it may spend, from its start on. */
  readonly running = new Map<string, Holding>()
  /** Let through, not seen to start. */
  readonly admitted: { kind: Exclude<Bought, 'transcription'>; held: Holding; at: number }[] = []
  readonly cancelled = new Set<string>()
  readonly #outages: { from: number; to: number }[] = []
  #isAway = false
  #isHeard = false
  #latency: number
  #others = 0
  spent = 0
  /** What writing down would cost: of audio at the provider, of audio kept in front of it, of audio still in the socket. */
  heard = 0
  #kept = 0
  #socket: number[] = []
  #lookedAt = 0
  #bought: { at: number; tokens: number }[] = []
  #queue: { at: number; n: number; act: () => void }[] = []
  #n = 0
  #ids = 0
  #next = 0
  #look: (world: GateWorld, effect: GateEffect) => void = () => undefined

  constructor(rules: WorldRules) {
    this.rules = rules
    this.#latency = rules.latency
  }

  /** Has `look` called at everything the gate wants done, once it has been done. */
  watching(look: (world: GateWorld, effect: GateEffect) => void): this {
    this.#look = look
    return this
  }

  awayBetween(from: number, to: number): boolean {
    return this.#outages.some((outage) => outage.from <= to && from <= outage.to + STORE_TIMEOUT)
  }

  /** All that may still be spent by what was asked for, was started by the provider and not cancelled, or was said. */
  get bound(): Holding {
    const all = [...this.admitted.map((a) => a.held), hold(this.heard)]
    for (const [id, held] of this.running) if (!this.cancelled.has(id)) all.push(held)
    return hold(
      all.reduce((sum, h) => sum + h.money, 0),
      all.reduce((sum, h) => sum + h.tokens, 0),
    )
  }

  run(script: readonly (readonly [number, Deed])[]): this {
    let at = 0
    // Before the caller is let in.
    this.#tell({ type: 'need_changed', need: this.#need() })
    for (const [gap, deed] of script) {
      at += gap
      this.#at(at, () => this.#perform(deed))
    }
    // Afterwards the store is there, nobody else holds anything, and time passes.
    this.#at(at, () => this.#perform({ do: 'store', isAway: false, isHeard: false, latency: 1 }))
    this.#at(at, () => this.#perform({ do: 'others', held: 0 }))
    this.#goOnUntil(at + 200_000)
    return this
  }

  #at(at: number, act: () => void): void {
    this.#queue.push({ at, n: this.#n++, act })
    this.#queue.sort((a, b) => a.at - b.at || a.n - b.n)
  }

  #goOnUntil(end: number): void {
    for (let steps = 0; ; steps++) {
      if (steps > 20_000) throw new Error('the gate never comes to rest')
      const next = this.#queue[0]
      const alarm = gateDeadline(this.state)
      const at = Math.min(next?.at ?? Number.POSITIVE_INFINITY, alarm ?? Number.POSITIVE_INFINITY)
      if (at > end) return
      this.now = at
      if (next !== undefined && next.at === at) {
        this.#queue.shift()
        next.act()
      } else this.#tell({ type: 'tick' })
    }
  }

  #perform(deed: Deed): void {
    switch (deed.do) {
      case 'ask': {
        const key = `k${++this.#ids}`
        const { most, least } = deed
        this.asks.set(key, { key, at: this.now, most, least: Math.min(most, least), out: null, outAt: 0 })
        this.#fates.set(key, deed)
        const kind = deed.apart ? 'apart' : 'response'
        return this.#tell({
          type: 'asked',
          response: { key, kind, most: hold(most), least: hold(Math.min(most, least)) },
        })
      }
      case 'withdraw': {
        const ask = [...this.asks.values()].find((a) => a.out === null)
        if (ask === undefined || this.state.mode === 'over') return
        this.#settle(ask.key, 'withdrawn')
        return this.#tell({ type: 'withdrawn', key: ask.key })
      }
      case 'need':
        this.#next = deed.next
        return this.#tell({ type: 'need_changed', need: this.#need() })
      case 'own':
        return this.#opens('response', hold(Math.min(deed.cost, this.#next)), 0.8)
      case 'speak':
        return this.#speaks(this.rules.isWritten ? deed.cost : 0)
      case 'turn':
        return this.#takesTurn(deed.share)
      case 'others':
        this.#others = deed.held
        return
      case 'store': {
        if (deed.isAway && !this.#isAway) this.#outages.push({ from: this.now, to: Number.POSITIVE_INFINITY })
        const last = this.#outages.at(-1)
        if (!deed.isAway && this.#isAway && last !== undefined) last.to = this.now
        this.#isAway = deed.isAway
        this.#latency = deed.latency
        this.#isHeard = deed.isHeard
      }
    }
  }

  readonly #fates = new Map<string, Extract<Deed, { do: 'ask' }>>()

  /** Does whatever the gate wants done. */
  #tell(event: GateEvent): void {
    const before = this.state
    const { state, effects } = gate(before, event, this.rules.policy, instant(this.now))
    this.state = state
    expect(gateDeadline(state) ?? Number.POSITIVE_INFINITY, 'a deadline that has passed').toBeGreaterThan(this.now)
    for (const lost of this.admitted.filter((a) => this.now >= a.at + 10_000)) this.#forget(lost)
    this.seen.push({ at: this.now, event, before, state, effects })
    for (const effect of effects) {
      this.#effect(effect)
      this.#look(this, effect)
    }
  }

  #effect(effect: GateEffect): void {
    switch (effect.type) {
      case 'reserve':
        return this.#reserve(effect)
      case 'start': {
        this.#settle(effect.key, 'start')
        const deed = this.#fates.get(effect.key)
        if (deed === undefined) throw new Error('a start of what nobody asked for')
        const kind = deed.apart ? 'apart' : 'response'
        this.admitted.push({ kind, held: effect.held, at: this.now })
        if (deed.fate === 'lost') return
        const after = deed.fate === 'late' ? 11_000 : 40
        const isRefused = deed.fate === 'refused' && !deed.apart
        return this.#at(this.now + after, () => {
          if (!isRefused) return this.#opens(kind, effect.held, deed.share)
          this.#forget(this.admitted.find((a) => a.kind === 'response'))
          this.#tell({ type: 'not_started', key: null })
        })
      }
      case 'refuse':
        return this.#settle(effect.key, 'refuse')
      case 'cancel': {
        this.cancelled.add(effect.id)
        return
      }
      case 'take_input':
        this.#reach(this.#kept)
        this.#kept = 0
        return this.#at(this.now, () => {
          const waiting = this.#socket
          this.#socket = []
          for (const cost of waiting) this.#speaks(cost)
        })
      default:
        return
    }
  }

  // ---- what is said ----

  #need(): Need {
    const sent = this.heard + this.#kept
    this.#lookedAt = sent
    if (!this.rules.isWritten) return { next: hold(this.#next), writing: hold(0), sent: hold(0) }
    const writing = Math.max(AHEAD, sent + 2 * LOOK_AGAIN)
    return { next: hold(this.#next + writing), writing: hold(writing), sent: hold(sent + LOOK_AGAIN) }
  }

  /** As the purse does: what comes is looked at before it passes, and nothing overtakes what is kept. */
  #speaks(cost: number): void {
    if (this.state.inputHeld !== null || this.#socket.length > 0) return void this.#socket.push(cost)
    this.#kept = cost
    if (this.heard + cost - this.#lookedAt > LOOK_AGAIN) this.#tell({ type: 'need_changed', need: this.#need() })
    if (this.state.inputHeld !== null) return
    this.#kept = 0
    this.#reach(cost)
  }

  /** Audio reaches the provider. */
  #reach(cost: number): void {
    this.heard += cost
    if (cost > 0 && this.state.mode !== 'over') this.#expectCover()
  }

  #expectCover(): void {
    expect(this.bound.money, 'money for what is under way').toBeLessThanOrEqual(this.lease.money)
    expect(this.bound.tokens, 'tokens for what is under way').toBeLessThanOrEqual(this.lease.tokens)
  }

  #takesTurn(share: number): void {
    const cost = hold(this.heard)
    if (this.heard === 0) return
    const id = `t${++this.#ids}`
    this.heard = 0
    this.running.set(id, cost)
    this.#tell({ type: 'turn_taken', id, cost, need: this.#need() })
    this.#closes(id, cost, share, 2_000)
  }

  // ---- what is answered ----

  #opens(kind: Exclude<Bought, 'transcription'>, cost: Holding, share: number): void {
    const id = `r${++this.#ids}`
    const mine = this.admitted.find((a) => a.kind === kind)
    this.#forget(mine)
    const held = mine?.held ?? cost
    this.running.set(id, held)
    this.#tell({ type: 'opened', id, cost, kind })
    if (mine === undefined && !this.cancelled.has(id) && this.state.mode !== 'over') this.#expectCover()
    this.#closes(id, held, share, this.cancelled.has(id) ? 50 : 2_000)
  }

  #closes(id: string, held: Holding, share: number, after: number): void {
    this.#at(this.now + after, () => {
      this.running.delete(id)
      const spent = this.cancelled.has(id)
        ? hold(0)
        : hold(Math.floor(held.money * share), Math.floor(held.tokens * share))
      this.spent += spent.money
      this.#bought.push({ at: this.now, tokens: spent.tokens })
      this.lease = hold(Math.max(0, this.lease.money - spent.money), Math.max(0, this.lease.tokens - spent.tokens))
      this.#tell({ type: 'closed', id, spent })
    })
  }

  #forget(admitted: (typeof this.admitted)[number] | undefined): void {
    if (admitted !== undefined) this.admitted.splice(this.admitted.indexOf(admitted), 1)
  }

  #settle(key: string, out: NonNullable<Ask['out']>): void {
    const ask = this.asks.get(key)
    if (ask === undefined || ask.out !== null) throw new Error(`${key} ends twice: ${ask?.out}, ${out}`)
    ask.out = out
    ask.outAt = this.now
  }

  #reserve({ want, least, standing }: Extract<GateEffect, { type: 'reserve' }>): void {
    const isAway = this.#isAway
    const answer = isAway && !this.#isHeard ? null : this.#judge(want, least, standing)
    this.#at(this.now + (isAway ? STORE_TIMEOUT : this.#latency), () => {
      this.#tell(isAway || answer === null ? { type: 'store_away' } : answer)
    })
  }

  /** As `scripts/limits/reserve.lua` does, for one account with a budget and a rate. */
  #judge(want: Holding, least: Holding, standing: boolean): GateEvent {
    const { cap, rate } = this.rules
    const share = standing ? 2 : 1
    const settled = this.#bought.filter((b) => b.at > this.now - MINUTE)
    const tokens = settled.reduce((all, b) => all + b.tokens, 0)
    const free = hold(
      Math.max(0, Math.floor((cap - this.spent) / share) - this.#others),
      Math.max(0, Math.floor((rate - tokens) / share) - this.#others),
    )
    const level: BudgetLevel = {
      account: 'tenant',
      limit: 'day',
      spent: this.spent as NanoUsd,
      cap: cap as NanoUsd,
    }
    const room = (lease: Holding) => ({
      money: Math.max(0, cap - this.spent - this.#others - lease.money) as NanoUsd,
      tokens: Math.max(0, rate - tokens - this.#others - lease.tokens) as Tokens,
    })
    const refuse = (refusal: Refusal): GateEvent => ({ type: 'refused', refusal, room: room(this.lease), level })
    if (free.tokens < least.tokens) {
      const most = rate - share * (this.#others + least.tokens)
      return refuse({ account: 'user', limit: 'tokens', wait: this.#waitFor(most, settled, tokens) })
    }
    if (free.money < least.money) return refuse({ account: 'tenant', limit: 'day', wait: ms(3_600_000) })
    this.lease = hold(Math.min(want.money, free.money), Math.min(want.tokens, free.tokens))
    return { type: 'granted', held: this.lease, room: room(this.lease) }
  }

  #waitFor(most: number, settled: readonly { at: number; tokens: number }[], tokens: number) {
    if (most < 0) return null
    let sum = tokens
    let wait = 0
    for (const { at, tokens } of settled) {
      if (sum <= most) break
      sum -= tokens
      wait = at + MINUTE - this.now
    }
    return ms(wait)
  }
}
