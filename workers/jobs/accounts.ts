import type { JobUsage, Saved } from '../../src/media/job.ts'
import { nanoUsd } from '../../src/units.ts'

/** Of a job that bought nothing. */
export const NO_USAGE: JobUsage = { calls: 0, cost: nanoUsd(0), estimated: false }

/** Nothing known to be saved yet; what applies to a job is filled in. */
export const NOTHING_SAVED: Saved = {
  inputMs: null,
  billedMs: null,
  bytesIn: null,
  bytesSent: null,
  tokensIn: null,
  tokensSent: null,
  money: nanoUsd(0),
  lines: [],
}
