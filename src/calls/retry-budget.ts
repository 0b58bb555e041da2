import { earlier, type Instant, instant, ms } from '../units.ts'

/** What is remembered, in steps of: the share is that of the last minute. */
const WINDOW = ms(60_000)
const STEP_MS = 5_000
/** So many retries a minute say nothing about a provider's health, however few the calls. */
const FREE_RETRIES = 3

/** Calls and retries of the last minute, oldest step first. */
export type RetryBudget = readonly { readonly step: Instant; readonly calls: number; readonly retries: number }[]

export const NO_CALLS: RetryBudget = []

/** A call began; `isRetry` where the same was asked before. */
export function noted(budget: RetryBudget, isRetry: boolean, now: Instant): RetryBudget {
  const step = instant(Math.floor(now / STEP_MS) * STEP_MS)
  const kept = budget.filter((part) => part.step > earlier(now, WINDOW) && part.step !== step)
  const same = budget.find((part) => part.step === step) ?? { step, calls: 0, retries: 0 }
  return [...kept, { step, calls: same.calls + 1, retries: same.retries + Number(isRetry) }]
}

/**
 * Q5: how many calls may be under way at once, of `most`. Retries beyond their share of calls slow everything down in
 * proportion, so that a provider in trouble gets fewer calls and not more; one call at a time always goes on.
 */
export function width(budget: RetryBudget, share: number, most: number, now: Instant): number {
  const recent = budget.filter((part) => part.step > earlier(now, WINDOW))
  const calls = recent.reduce((sum, part) => sum + part.calls, 0)
  const retries = recent.reduce((sum, part) => sum + part.retries, 0)
  const allowed = Math.max(FREE_RETRIES, share * calls)
  if (retries <= allowed) return most
  return Math.max(1, Math.floor((most * allowed) / retries))
}
