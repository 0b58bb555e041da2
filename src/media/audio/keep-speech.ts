import type { Ms } from '../../units.ts'
import { type Region, toSamples } from './samples.ts'

/** What of a recording is kept, and where it may be cut. */
export interface Kept {
  /** In order, apart from each other. */
  readonly regions: readonly Region[]
  /** Pauses inside and between regions as they were in the recording, in order: the best places for a cut. */
  readonly pauses: readonly Region[]
}

/**
 * Runs of speech with `padding` on both sides; where less than `minGap` would then be removed, it stays. Times are samples;
 * `total` is the length of the recording.
 */
export function keepSpeech(runs: readonly Region[], padding: Ms, minGap: Ms, total: number): Kept {
  const pad = toSamples(padding)
  const gap = toSamples(minGap)
  const regions: { start: number; end: number }[] = []
  const pauses: Region[] = []
  let spokenUntil: number | null = null
  for (const run of runs) {
    if (spokenUntil !== null && run.start > spokenUntil) pauses.push({ start: spokenUntil, end: run.start })
    spokenUntil = run.end
    const start = Math.max(0, run.start - pad)
    const end = Math.min(total, run.end + pad)
    const last = regions.at(-1)
    if (last !== undefined && start - last.end < Math.max(1, gap)) last.end = Math.max(last.end, end)
    else regions.push({ start, end })
  }
  return { regions, pauses }
}

/** All of it, for those who want nothing trimmed. */
export function keepAll(total: number): Kept {
  return { regions: total === 0 ? [] : [{ start: 0, end: total }], pauses: [] }
}
