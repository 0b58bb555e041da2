import { type Instant, type NanoUsd, nanoUsd } from '../units.ts'
import { type LocalDay, localDay } from './objective-day.ts'

/** A daily budget for the whole installation, and how fast it may be used up (L6). */
export interface Objective {
  readonly perDay: NanoUsd
  /** 1 to 100: the share of `perDay` that may be gone `by` that time of the day. */
  readonly sharePercent: number
  /** Minutes since midnight on the wall clock of `timeZone`, 0 to 1,440. */
  readonly by: number
  /** An IANA name. */
  readonly timeZone: string
  /** Gentlest first; each `at` above the one before. */
  readonly steps: readonly ObjectiveStep[]
}

/** What changes for new sessions while more is spent than the burn line allows. */
export interface ObjectiveStep {
  /** Percent of the burn line, at least 100: over so much, the step is taken. */
  readonly at: number
  /** Model asked for → the configured model that serves it instead. */
  readonly siblings: ReadonlyMap<string, string>
  readonly maxOutputTokens: number | null
}

/** What was decided last; the memory that keeps decisions from flapping. */
export interface Standing {
  /** 0: everything as configured; n: the first n steps are taken. */
  readonly step: number
  readonly day: string
  readonly perDay: NanoUsd
}

export interface Judgement extends Standing {
  /** What may be spent by now. */
  readonly line: NanoUsd
}

/** A step is left again only once spending is so far under its line. */
export const MARGIN_PERCENT = 10
/** The line starts here, not at nothing: else the first call after midnight would always be too much. */
export const FLOOR_PERCENT = 5

/**
 * L6: which step applies now. Stricter at once; milder only with a margin, on a new day, or when the budget was raised. Spent
 * money never comes back, so between a step and its undoing the line itself must grow by a ninth.
 */
export function judge(objective: Objective, spent: NanoUsd, now: Instant, before: Standing | null): Judgement {
  const day = localDay(now, objective.timeZone)
  const line = burnLine(objective, day, now)
  const over = stepsOver(objective.steps, spent, line, 0)
  const isFresh = before === null || before.day !== day.day || objective.perDay > before.perDay
  const held = isFresh ? 0 : Math.min(before.step, stepsOver(objective.steps, spent, line, MARGIN_PERCENT))
  return { step: Math.max(over, held), day: day.day, perDay: objective.perDay, line }
}

/**
 * Grows evenly, in real time, from nothing at midnight to `sharePercent` at `by`, then to the whole budget at the next
 * midnight; never under `FLOOR_PERCENT`. Whole nano-dollars, rounded down.
 */
export function burnLine({ perDay, sharePercent, by }: Objective, day: LocalDay, now: Instant): NanoUsd {
  const turn = day.at(by)
  const [from, to, low, high] = now < turn ? [day.start, turn, 0, sharePercent] : [turn, day.end, sharePercent, 100]
  const length = BigInt(Math.max(1, Math.round(to - from)))
  const gone = BigInt(Math.min(Number(length), Math.max(0, Math.round(now - from))))
  const percentTimesLength = BigInt(low) * length + BigInt(high - low) * gone
  const line = (BigInt(perDay) * percentTimesLength) / (length * 100n)
  const floor = (BigInt(perDay) * BigInt(FLOOR_PERCENT)) / 100n
  return nanoUsd(Number(line > floor ? line : floor))
}

/** How many steps, from the first on, have their line less `margin` percent under what is spent. */
function stepsOver(steps: readonly ObjectiveStep[], spent: NanoUsd, line: NanoUsd, margin: number): number {
  const isOver = ({ at }: ObjectiveStep) => BigInt(spent) * 10_000n > BigInt(line) * BigInt(at * (100 - margin))
  return steps.findLastIndex(isOver) + 1
}

/** What a new session gets. Sessions already running keep what they began with. */
export interface SteppedModel {
  /** The name the caller used, and goes on seeing. */
  readonly asked: string
  /** The configured model that serves it. */
  readonly served: string
  /** Null: the step sets no cap. A plan's own, lower cap still counts. */
  readonly maxOutputTokens: number | null
}

/**
 * Applies the first `step` steps to a model. The strictest of them that names a sibling decides; siblings are not chained.
 * The lowest cap counts.
 */
export function applyStep(objective: Objective | null, step: number, model: string): SteppedModel {
  const taken = objective?.steps.slice(0, step) ?? []
  const served = taken.findLast(({ siblings }) => siblings.has(model))?.siblings.get(model) ?? model
  const caps = taken.flatMap(({ maxOutputTokens }) => (maxOutputTokens === null ? [] : [maxOutputTokens]))
  return { asked: model, served, maxOutputTokens: caps.length === 0 ? null : Math.min(...caps) }
}
