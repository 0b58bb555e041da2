import type { SessionPolicy } from '../../src/session/policy.ts'
import { minutes, seconds } from '../../src/units.ts'

/** A plan's session policy with every feature on, in round numbers. */
export const policy: SessionPolicy = {
  maxDuration: minutes(10),
  durationWarnings: [seconds(60), seconds(10)],
  wrapUp: null,
  idle: { limit: seconds(30), warnBefore: seconds(10), nudge: null },
  toolTimeout: seconds(60),
  longestUtterance: seconds(120),
  resumeWindow: seconds(30),
  lastUsage: seconds(10),
  opening: seconds(15),
}
