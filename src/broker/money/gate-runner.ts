import type { Clock } from '../../clock.ts'
import { gate, gateDeadline } from '../../limits/gate.ts'
import { type GateEffect, type GateEvent, type GatePolicy, type GateState, openGate } from '../../limits/gate-state.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import type { Account, BudgetLevel, Holding } from '../../limits/limits.ts'
import { later, ms } from '../../units.ts'
import { Alarm } from '../live/alarm.ts'

/** What the gate brings about outside. */
export interface GatePort {
  perform(effect: Exclude<GateEffect, { type: 'reserve' }>): void
  /** How near the nearest budget is to its end; after every answer of the store. */
  levelIs(level: BudgetLevel | null): void
}

export interface GateRunnerDeps {
  readonly store: LimitStore
  readonly clock: Clock
  /** Resolves once the store has everything that the session has bought by now. */
  settled(): Promise<void>
}

/** So long a reservation waits for what is still to be settled; then the store counts as away, as it does for a command. */
const SETTLED_WITHIN = ms(300)

/** The impure half of a session's gate: keeps its state, one timer at its own deadline, and asks the shared store. */
export class GateRunner implements Disposable {
  readonly #session: string
  readonly #accounts: readonly Account[]
  readonly #policy: GatePolicy
  readonly #store: LimitStore
  readonly #settled: () => Promise<void>
  readonly #clock: Clock
  readonly #port: GatePort
  readonly #alarm: Alarm
  #state: GateState
  #isOver = false
  /** Resolves at the first answer of the store, whatever it is. */
  readonly #answered = Promise.withResolvers<void>()

  constructor(
    session: string,
    accounts: readonly Account[],
    policy: GatePolicy,
    { store, clock, settled }: GateRunnerDeps,
    port: GatePort,
  ) {
    this.#session = session
    this.#accounts = accounts
    this.#policy = policy
    this.#store = store
    this.#settled = settled
    this.#clock = clock
    this.#port = port
    this.#alarm = new Alarm(clock, () => this.dispatch({ type: 'tick' }))
    this.#state = openGate(clock.now())
  }

  get state(): GateState {
    return this.#state
  }

  get answered(): Promise<void> {
    return this.#answered.promise
  }

  dispatch(event: GateEvent): void {
    if (this.#isOver) return
    const { state, effects } = gate(this.#state, event, this.#policy, this.#clock.now())
    this.#state = state
    this.#alarm.aim(gateDeadline(state))
    for (const effect of effects) {
      if (effect.type === 'reserve') void this.#reserve(effect.want, effect.least, effect.standing)
      else this.#port.perform(effect)
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#alarm.aim(null)
    this.#answered.resolve()
  }

  async #isSettled(): Promise<boolean> {
    const late = Promise.withResolvers<boolean>()
    using _alarm = this.#clock.at(later(this.#clock.now(), SETTLED_WITHIN), () => late.resolve(false))
    return await Promise.race([this.#settled().then(() => true), late.promise])
  }

  async #reserve(want: Holding, least: Holding, standing: boolean): Promise<void> {
    const accounts = this.#accounts
    // What was spent and is in no counter yet would be free to be spent again: a reservation says what is held in all.
    const isSettled = await this.#isSettled()
    const reservation = { session: this.#session, accounts, want, least, standing }
    const grant = isSettled ? await this.#store.reserve(reservation).catch(() => null) : null
    this.#answered.resolve()
    if (this.#isOver) return
    if (grant === null) return this.dispatch({ type: 'store_away' })
    this.#port.levelIs(grant.level)
    if (grant.ok) this.dispatch({ type: 'granted', held: grant.held, room: grant.room })
    else this.dispatch({ type: 'refused', refusal: grant.refusal, room: grant.room, level: grant.level })
  }
}
