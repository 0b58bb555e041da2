import { setTimeout as after } from 'node:timers/promises'
import { Caller, type Event } from '../test/support/caller.ts'
import type { Dice } from './dice.ts'
import type { Fleet } from './fleet.ts'
import { MODEL, type Premises } from './premises.ts'
import { awaited, prepare, type Script, turn } from './script.ts'
import type { Attempt, SessionSeen, Witness } from './witness.ts'

type Failure = { code: string; message: string; retry_after_ms?: number }

const FOR_LIMITS = new Set(['rate_limit_exceeded', 'insufficient_quota'])
/** How often a caller tries to get in, or back. */
const MOST_TRIES = 8
const ANSWERED_WITHIN_MS = 12_000

/** One caller with its script, from its first try until it has left for good. */
export class Visitor {
  readonly #script: Script
  readonly #fleet: Fleet
  readonly #premises: Premises
  readonly #witness: Witness
  readonly #dice: Dice
  #caller: Caller | null = null
  #door = ''
  #token = ''
  /** Counted frames before the present connection. */
  #before = 0

  constructor(script: Script, dice: Dice, fleet: Fleet, premises: Premises, witness: Witness) {
    this.#script = script
    this.#dice = dice
    this.#fleet = fleet
    this.#premises = premises
    this.#witness = witness
  }

  /** Returns whether it had a session. */
  async visit(): Promise<boolean> {
    const session = await this.#enter()
    if (session === null) return false
    try {
      await this.#converse(session)
    } finally {
      if (this.#caller !== null) this.#witness.read(this.#caller, session)
      this.#caller?.[Symbol.dispose]()
      session.to = Date.now()
    }
    return true
  }

  // ---- in ----

  async #enter(): Promise<SessionSeen | null> {
    const { tenant, user } = this.#script
    for (let tried = 0; tried < MOST_TRIES; tried++) {
      const door = this.#fleet.door()
      const key = door === null ? null : await this.#key(door)
      if (door === null || key === null) {
        await after(300)
        continue
      }
      const attempt: Attempt = { tenant, user, from: Date.now(), to: Number.POSITIVE_INFINITY, outcome: 'unsure' }
      this.#witness.attempts.push(attempt)
      const caller = new Caller(this.#url(door, ''), key)
      const answer = await this.#answer(caller)
      attempt.to = Date.now()
      if (answer?.type === 'parley.session') {
        attempt.outcome = 'admitted'
        this.#caller = caller
        this.#door = door
        this.#token = String(answer.resume_token)
        return this.#witness.admitted(String(answer.session_id), tenant, user, attempt.from)
      }
      caller.vanish()
      const error = answer?.error as Failure | undefined
      if (error !== undefined && FOR_LIMITS.has(error.code)) {
        attempt.outcome = 'refused'
        this.#witness.turnedAway(error, tenant, user, Date.now())
        return null
      }
      await after(Math.min(2_000, error?.retry_after_ms ?? 300))
    }
    return null
  }

  /** The tenant's own key, or a client secret for one of its users; null when none can be had. */
  async #key(door: string): Promise<string | null> {
    const { tenant, user, kind } = this.#script
    const key = this.#premises.tenants.get(tenant)?.key.key ?? ''
    if (user === null) return key
    const type = kind === 'transcription' ? 'transcription' : 'realtime'
    const body = JSON.stringify({ session: { type }, parley: { user, unlocked: ['tools'] } })
    const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
    const signal = AbortSignal.timeout(3_000)
    const answer = await fetch(`${door}/v1/realtime/client_secrets`, { method: 'POST', headers, body, signal }).catch(
      () => null,
    )
    if (answer === null || !answer.ok) return null
    return String(((await answer.json().catch(() => ({}))) as { value?: unknown }).value ?? '')
  }

  // ---- what it does ----

  async #converse(session: SessionSeen): Promise<void> {
    const script = this.#script
    await this.#prepared()
    for (let n = 0; n < script.turns; n++) {
      const isUnlucky = script.mishap !== 'none' && script.mishapIn === n
      const caller = this.#caller as Caller
      const talked = turn(caller, script, n)
      if (isUnlucky) {
        await after(this.#dice.whole(10, 400))
        if (script.mishap === 'hang_up') break
        caller.vanish()
        if (script.mishap === 'lost') return
      }
      await talked
      // Longer than a broker needs to notice: what was said at the end has been heard.
      if ((this.#caller as Caller).closure !== null && !(await this.#back(session))) return
      await after(script.pauses[n])
      if ((this.#caller as Caller).closure !== null && !(await this.#back(session))) return
    }
    const caller = this.#caller as Caller
    caller.socket.close(1000)
    await awaited(caller, () => false, 0, 3_000)
    session.isClean = caller.closure !== null
  }

  async #prepared(): Promise<void> {
    if (this.#caller?.closure === null) await prepare(this.#caller, this.#script)
  }

  /** Comes back with its token, as a client should. False when there is nothing to come back to. */
  async #back(session: SessionSeen): Promise<boolean> {
    const lost = this.#caller as Caller
    this.#witness.read(lost, session)
    this.#caller = null
    if (lost.events.some(({ type, reason }) => type === 'parley.session_ended' && reason !== 'going_away')) {
      session.isClean = true
      return false
    }
    const seen = this.#before + lost.events.filter(({ type }) => !type.startsWith('parley.')).length
    await after(this.#dice.whole(0, 900))
    for (let tried = 0; tried < MOST_TRIES; tried++) {
      const door = this.#fleet.door(this.#dice.chance(0.5) ? this.#door : null)
      if (door === null) {
        await after(300)
        continue
      }
      const isDouble = this.#script.mishap === 'double'
      const callers = Array.from(
        { length: isDouble ? 2 : 1 },
        () => new Caller(this.#url(door, `&resume_from=${seen}`), this.#token),
      )
      const answers = await Promise.all(callers.map((caller) => this.#answer(caller)))
      const isIn = answers.map((answer) => answer?.type === 'parley.session')
      if (isDouble) this.#witness.doubles.tried++
      if (isIn.filter(Boolean).length > 1) this.#witness.doubles.bothIn++
      const mine = isIn.indexOf(true)
      for (const [i, caller] of callers.entries()) if (i !== mine) caller.vanish()
      if (mine >= 0) {
        const answer = answers[mine] as Event
        this.#caller = callers[mine] as Caller
        this.#door = door
        this.#token = String(answer.resume_token)
        this.#before = Number(answer.seq)
        session.resumes++
        // The provider behind it may be another one now: its answer says which.
        await this.#prepared()
        return true
      }
      const error = answers.find((answer) => answer?.type === 'error')?.error as Failure | undefined
      if (error !== undefined && error.retry_after_ms === undefined) return false
      await after(Math.min(2_000, error?.retry_after_ms ?? 300))
    }
    return false
  }

  #answer(caller: Caller): Promise<Event | null> {
    return awaited(caller, ({ type }) => type === 'parley.session' || type === 'error', 0, ANSWERED_WITHIN_MS)
  }

  #url(door: string, more: string): string {
    const what = this.#script.kind === 'transcription' ? 'intent=transcription' : `model=${MODEL}`
    return `${door.replace('http', 'ws')}/v1/realtime?${what}&parley=1${more}`
  }
}
