import type { Redis } from 'ioredis'
import type { Clock } from '../clock.ts'
import { judge, type Objective } from '../limits/objective.ts'
import { localDay, readMeter, spentOn } from '../limits/objective-day.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type Instant, instant, later, type Ms, type NanoUsd, nanoUsd, seconds } from '../units.ts'
import type { WebhookEvent } from '../webhooks/webhook.ts'
import { keys } from './keys.ts'
import { ObjectiveRecord, type ObjectiveState, readState } from './objective-state.ts'

export interface ObjectiveDeps {
  readonly node: string
  readonly redis: Redis
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Null: none is set. Read anew each round, so that a reload counts. */
  readonly objective: () => Objective | null
  /** Spent by the whole installation since midnight UTC, by the counters that all nodes share. */
  readonly spentToday: () => Promise<NanoUsd>
  /** Resolves once the event is safely on its way; may be called again with the same one. */
  readonly publish: (event: WebhookEvent) => Promise<void>
  /** Between two rounds. The lease lasts two and a half of them. */
  readonly every?: Ms
}

const FOR_EVER_MS = 2_147_483_647
const EVERY = seconds(10)
/** What is judged where no objective is set: a step that was taken before is undone. */
const UNBOUND: Objective = { perDay: nanoUsd(0), sharePercent: 100, by: 0, timeZone: 'UTC', steps: [] }

/**
 * L6: holds the installation to its spend objective. One node, the leader, compares what was spent with the burn line each
 * ten seconds and writes the step down; every node knows it within moments, by message, or at the latest within a round, by
 * asking. A step lost with Redis is decided anew; while Redis is away the last one known stays.
 */
export class ObjectiveWatch implements AsyncDisposable {
  readonly #deps: ObjectiveDeps
  readonly #record: ObjectiveRecord
  readonly #subscriber: Redis
  readonly #every: Ms
  #state: ObjectiveState | null = null
  #round: Promise<void> | null = null
  #alarm: Disposable | null = null
  #isStopped = false

  constructor(deps: ObjectiveDeps) {
    this.#deps = deps
    this.#every = deps.every ?? EVERY
    this.#record = new ObjectiveRecord(deps.redis, deps.node)
    this.#subscriber = deps.redis.duplicate({
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      commandTimeout: FOR_EVER_MS,
    })
  }

  /** How many steps apply to sessions that begin now. */
  step(): number {
    const steps = this.#deps.objective()?.steps.length ?? 0
    return Math.min(steps, this.#state?.step ?? 0)
  }

  /** Where it stands, as this node knows it; null before anything was decided. */
  get state(): ObjectiveState | null {
    return this.#state
  }

  async start(): Promise<void> {
    this.#subscriber.on('error', () => undefined)
    this.#subscriber.on('message', (_channel, text: string) => this.#learn(readState(text)))
    await this.#subscriber.subscribe(keys.objectiveChanges)
    await this.#tick()
  }

  /** One round, now. Rejects when Redis does not answer; the rounds to come are not affected. */
  async evaluate(): Promise<void> {
    // Rounds of one node never overlap: the later would judge by what the earlier is about to change.
    const before = this.#round
    const round = (before ?? Promise.resolve()).catch(() => undefined).then(() => this.#evaluate())
    this.#round = round
    await round
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    this.#alarm?.[Symbol.dispose]()
    this.#subscriber.disconnect()
    await this.#round?.catch(() => undefined)
    await this.#record.resign().catch(() => this.#deps.log.warn({}, 'objective lease left to expire'))
  }

  async #tick(): Promise<void> {
    const { clock, log } = this.#deps
    await this.evaluate().catch((error: unknown) => log.warn({ why: String(error) }, 'spend objective not judged'))
    if (this.#isStopped) return
    this.#alarm = clock.at(later(clock.now(), this.#every), () => void this.#tick())
  }

  async #evaluate(): Promise<void> {
    const leaseMs = Math.round(this.#every * 2.5)
    const { leads, now, state } = await this.#record.lead(leaseMs)
    this.#learn(state)
    const objective = this.#deps.objective()
    if (!leads || (objective === null && (state?.step ?? 0) === 0 && state?.untold == null)) return
    const counter = await this.#deps.spentToday()
    // Only a counter read wholly within one UTC day is known to be that day's.
    const after = await this.#record.lead(leaseMs)
    if (!after.leads || !isSameUtcDay(now, after.now)) return
    const told = await this.#tell(state)
    const next = decide(objective ?? UNBOUND, counter, now, told)
    const isChange = next.step !== (told?.step ?? 0)
    if (!(await this.#record.write(next, isChange))) return
    this.#learn(next)
    if (!isChange) return
    const { from, to, ...amounts } = next.untold as NonNullable<ObjectiveState['untold']>
    this.#deps.log.warn({ from, to, ...amounts }, 'spend objective: step changed')
    // Told at once; if that fails, or this node dies, by whoever leads the next round.
    const settled = await this.#tell(next)
    if (settled !== null) await this.#record.write(settled, false)
  }

  /** Tells a change that has not been told. Its id comes from the change, so that telling it twice is telling it once. */
  async #tell(state: ObjectiveState | null): Promise<ObjectiveState | null> {
    if (state?.untold == null) return state
    const { from, to, spent, budget, line, at } = state.untold
    await this.#deps.publish({
      id: `objective-${at}-${state.changes}`,
      type: 'objective.stepped',
      at: instant(at),
      data: { from, to, spent_nano: spent, budget_nano: budget, line_nano: line, at: new Date(at).toISOString() },
    })
    return { ...state, untold: null }
  }

  #learn(state: ObjectiveState | null): void {
    // A message may be older than what was just read.
    if (state !== null && state.changes < (this.#state?.changes ?? 0) && state.day === this.#state?.day) return
    this.#state = state
    this.#deps.metrics.objectiveStep.set(this.step())
  }
}

const isSameUtcDay = (a: Instant, b: Instant) => Math.floor(a / 86_400_000) === Math.floor(b / 86_400_000)

/** What the leader writes down after a round. */
function decide(objective: Objective, counter: NanoUsd, now: Instant, before: ObjectiveState | null): ObjectiveState {
  const meter = readMeter(before?.meter ?? null, counter, now, localDay(now, objective.timeZone).day)
  const spent = spentOn(meter)
  const { step, day, perDay, line } = judge(objective, spent, now, before)
  const from = before?.step ?? 0
  const changes = before?.changes ?? 0
  if (step === from) return { step, day, perDay, changes, untold: null, meter }
  const untold = { from, to: step, spent, budget: perDay, line, at: now }
  return { step, day, perDay, changes: changes + 1, untold, meter }
}
