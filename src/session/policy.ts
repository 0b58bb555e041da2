import type { Ms } from '../units.ts'

/** How long a session may last and how it is ended. Part of a plan; see `plans` in the policy file. */
export interface SessionPolicy {
  /** From admission; nothing extends it, parking does not stop it. */
  maxDuration: Ms
  /** How long before the end the caller is warned, longest first. */
  durationWarnings: readonly Ms[]
  /** Asks the model, `before` the end, to say goodbye in at most `maxOutputTokens`. */
  wrapUp: { before: Ms; instructions: string; maxOutputTokens: number } | null
  /** Ends a session in which neither side speaks and nothing is pending. Null: never. */
  idle: IdlePolicy | null
  /** A tool call holds the idle clock for at most this long. */
  toolTimeout: Ms
  /** One utterance of the caller holds the idle clock for at most this long: a detector stuck on noise must not. */
  longestUtterance: Ms
  /** How long a caller who dropped may take to come back. Null: a dropped caller is gone. */
  resumeWindow: Ms | null
  /** How long the broker waits for the usage of the last response once the caller is gone. */
  lastUsage: Ms
  /** How long the provider may take to start the session. */
  opening: Ms
}

export interface IdlePolicy {
  limit: Ms
  /** How long before the cut the caller is warned; 0 for no warning. */
  warnBefore: Ms
  /** At the limit, ask the model up to `times` in a row whether anybody is there, before the cut. */
  nudge: { times: number; instructions: string } | null
}

/** The same policy with a length of at most `most`, and nothing left of what lies beyond that. Null: as it is. */
export function shortened(policy: SessionPolicy, most: Ms | null): SessionPolicy {
  if (most === null || most >= policy.maxDuration) return policy
  const { wrapUp } = policy
  return {
    ...policy,
    maxDuration: most,
    durationWarnings: policy.durationWarnings.filter((before) => before < most),
    wrapUp: wrapUp !== null && wrapUp.before < most ? wrapUp : null,
  }
}
