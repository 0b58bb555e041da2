import fc from 'fast-check'
import type { JobCommand, JobRules, JobState } from '../../src/media/job-state.ts'
import { instant, later, ms } from '../../src/units.ts'

const TOKENS = ['a', 'b', 'c'] as const
const token = fc.constantFrom(...TOKENS)

/** What happens to a job, and how much time goes by before it, ms. */
export interface Move {
  readonly wait: number
  readonly command: JobCommand
}

export interface Plot {
  readonly rules: JobRules
  readonly runIn: number | null
  readonly moves: readonly Move[]
}

const command: fc.Arbitrary<JobCommand> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('start' as const), token, dispatch: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('beat' as const), token }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('hand_over' as const), token }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('postpone' as const), token }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('end' as const),
      token,
      status: fc.constantFrom('succeeded' as const, 'failed' as const, 'canceled' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'cancel' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'retry' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'look' as const }) },
)

/** Long enough for leases and deadlines to pass now and then. */
const wait = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 60_000 }))

export const plot: fc.Arbitrary<Plot> = fc.record({
  rules: fc.record({
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    mostStarts: fc.integer({ min: 2, max: 4 }),
    longest: fc.constant(ms(300_000)),
    lease: fc.constant(ms(15_000)),
    grace: fc.constant(ms(30_000)),
    life: fc.integer({ min: 1_000, max: 100_000 }).map(ms),
    patience: fc.option(fc.integer({ min: 1_000, max: 200_000 }).map(ms)),
  }),
  runIn: fc.option(fc.integer({ min: 1, max: 50_000 })),
  moves: fc.array(fc.record({ wait, command }), { maxLength: 30 }),
})

/** A job that has just been made. */
export function made({ rules, runIn }: Plot, now = instant(0)): JobState {
  const expiresAt = later(now, rules.life)
  const deadline = rules.patience === null ? null : later(now, rules.patience)
  const runAt = runIn === null ? null : later(now, ms(runIn))
  const times = [runAt, expiresAt, deadline].filter((at) => at !== null)
  return {
    status: runAt === null ? 'queued' : 'scheduled',
    attempt: 0,
    tries: 0,
    starts: 0,
    dispatch: 1,
    seq: 1,
    cancelRequested: false,
    isLate: false,
    isHandedOver: false,
    holder: null,
    endedBy: null,
    postponedBy: null,
    runAt,
    expiresAt,
    deadline,
    mustEnd: null,
    alarm: instant(Math.min(...times)),
    lease: null,
  }
}
