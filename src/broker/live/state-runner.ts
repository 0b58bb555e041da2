import type { Clock } from '../../clock.ts'
import { nextDeadline } from '../../session/due.ts'
import type { SessionPolicy } from '../../session/policy.ts'
import type { Effect, SessionEvent, SessionState } from '../../session/state.ts'
import { transition } from '../../session/transition.ts'
import type { Instant } from '../../units.ts'
import { Alarm } from './alarm.ts'

/** What the runner brings about. */
export interface StatePort {
  /** Something that happened before the event at hand and has not been told yet; null for nothing. */
  before(): SessionEvent | null
  phaseChanged(from: SessionState['phase'], to: SessionState['phase']): void
  perform(effect: Effect, now: Instant): void
}

/**
 * Stores what `transition` decides, keeps one timer aimed at the state's own deadline, and has the effects performed. What an
 * effect brings about is an event of its own, and waits its turn.
 */
export class StateRunner {
  readonly #clock: Clock
  readonly #policy: SessionPolicy
  readonly #port: StatePort
  readonly #alarm: Alarm
  readonly #queue: SessionEvent[] = []
  #state: SessionState
  #isStepping = false

  constructor(state: SessionState, policy: SessionPolicy, clock: Clock, port: StatePort) {
    this.#state = state
    this.#policy = policy
    this.#clock = clock
    this.#port = port
    this.#alarm = new Alarm(clock, () => this.dispatch({ type: 'deadline' }))
    this.#alarm.aim(nextDeadline(state, policy))
  }

  get state(): SessionState {
    return this.#state
  }

  dispatch(event: SessionEvent): void {
    this.#queue.push(event)
    if (this.#isStepping) return
    this.#isStepping = true
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next)
    } finally {
      this.#isStepping = false
    }
  }

  #step(event: SessionEvent): void {
    if (this.#state.phase === 'ended') return
    const now = this.#clock.now()
    const before = this.#port.before()
    if (before !== null) this.#apply(before, now)
    this.#apply(event, now)
    this.#alarm.aim(nextDeadline(this.#state, this.#policy))
  }

  #apply(event: SessionEvent, now: Instant): void {
    const from = this.#state.phase
    const { state, effects } = transition(this.#state, event, this.#policy, now)
    this.#state = state
    if (state.phase !== from) this.#port.phaseChanged(from, state.phase)
    for (const effect of effects) this.#port.perform(effect, now)
  }
}
