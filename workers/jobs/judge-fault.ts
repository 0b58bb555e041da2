import { type FaultCode, FaultError } from '../../src/faults.ts'
import type { JobError } from '../../src/media/job.ts'
import { type Ms, ms } from '../../src/units.ts'

export interface Judged {
  readonly error: JobError
  /** Tried again by itself. */
  readonly isPassing: boolean
  /** What whoever refused asked us to wait. */
  readonly retryAfter: Ms | null
  /** Nobody expected it: a mistake of ours. */
  readonly isBug: boolean
}

/** What passes by itself in seconds or minutes. */
const PASSING: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'rate_limited',
  'too_many_sessions',
  'upstream_unavailable',
  'upstream_lost',
  'fetch_failed',
  'store_unavailable',
  'storage_unavailable',
  'overloaded',
  'going_away',
])
/** What somebody can do something about, so that the same job may succeed when its owner asks again. */
const MENDABLE: ReadonlySet<FaultCode> = new Set<FaultCode>([
  ...PASSING,
  'budget_spent',
  'storage_full',
  'tenant_suspended',
])

/** What became of a job that threw: as its owner is told, and whether it is worth another try. */
export function judgeFault(thrown: unknown): Judged {
  if (thrown instanceof FaultError) {
    const { code, message, retryAfterMs } = thrown
    return {
      error: { code, message, retryable: MENDABLE.has(code) },
      isPassing: PASSING.has(code),
      retryAfter: retryAfterMs === null ? null : ms(retryAfterMs),
      isBug: false,
    }
  }
  const error = { code: 'internal', message: 'the job failed for a reason of ours', retryable: true }
  return { error, isPassing: true, retryAfter: null, isBug: true }
}

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 5 * 60_000
const JITTER = 0.5

/** How long until the next try: a second, doubled with each, and half of that at random. `failed` counts from 1. */
export function retryWait(failed: number, retryAfter: Ms | null, chance: number): Ms {
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(20, failed - 1))
  const wait = Math.round(full * (1 - JITTER * chance))
  return ms(Math.min(LONGEST_WAIT_MS, Math.max(wait, retryAfter ?? 0)))
}
