import { type Instant, later, type Ms } from '../units.ts'

export interface BreakerRules {
  /** Failures in a row after which a provider is left alone. */
  readonly failures: number
  /** How long, before one call tries it again. */
  readonly probeEvery: Ms
}

/** Whether a provider is worth a call: `closed` it is, `open` it is not, `probing` one call finds out. */
export type Breaker =
  | { readonly state: 'closed'; readonly failures: number }
  | { readonly state: 'open'; readonly until: Instant }
  | { readonly state: 'probing'; readonly until: Instant }

export const CLOSED: Breaker = { state: 'closed', failures: 0 }

/** May a call begin now? After a time without news of a probe another may try, so that a lost one closes no door for ever. */
export function mayCall(breaker: Breaker, now: Instant): boolean {
  return breaker.state === 'closed' || now >= breaker.until
}

/** A call begins, which `mayCall` allowed. */
export function begun(breaker: Breaker, rules: BreakerRules, now: Instant): Breaker {
  return breaker.state === 'closed' ? breaker : { state: 'probing', until: later(now, rules.probeEvery) }
}

/** The provider answered, be it with a refusal. */
export const answered = (): Breaker => CLOSED

/** It did not answer, or answered that it cannot. Calls that began before it opened change nothing while it is open. */
export function failed(breaker: Breaker, rules: BreakerRules, now: Instant): Breaker {
  if (breaker.state === 'open') return breaker
  const failures = breaker.state === 'closed' ? breaker.failures + 1 : rules.failures
  if (failures < rules.failures) return { state: 'closed', failures }
  return { state: 'open', until: later(now, rules.probeEvery) }
}
