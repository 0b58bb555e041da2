import fc from 'fast-check'
import { LEVEL_HOP, LevelProfile } from '../../src/media/audio/level-profile.ts'
import { RATE, type Region } from '../../src/media/audio/samples.ts'

/** Runs of speech in order, apart from each other, and the length of a recording that holds them. */
export const recording = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 5 * RATE }), fc.integer({ min: 1, max: 20 * RATE })), { maxLength: 40 })
  .chain((parts) =>
    fc.nat(5 * RATE).map((tail) => {
      let at = 0
      const runs: Region[] = parts.map(([pause, speech]) => {
        const start = at + pause
        at = start + speech
        return { start, end: at }
      })
      return { runs, total: at + tail }
    }),
  )

/** Levels of a recording in which runs are loud and all else is quiet, the same for the same runs. */
export function levelsOf(runs: readonly Region[], total: number): LevelProfile {
  const levels = new LevelProfile()
  let next = 0
  for (let at = 0; at < total; at += LEVEL_HOP) {
    while (next < runs.length && (runs[next] as Region).end <= at) next++
    const isLoud = next < runs.length && (runs[next] as Region).start <= at
    levels.push(isLoud ? 0.01 + 0.001 * ((at / LEVEL_HOP) % 7) : 1e-7)
  }
  return levels
}
