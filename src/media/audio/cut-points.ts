import type { Kept } from './keep-speech.ts'
import type { LevelProfile } from './level-profile.ts'
import { lengthOf, RATE, type Region } from './samples.ts'

/** A place where a recording may be cut. */
export interface CutPoint {
  /** Samples of kept sound before it. */
  readonly kept: number
  /** How bad a cut is here: small for long pauses, large inside of speech. */
  readonly cost: number
}

/** Pauses shorter than this may be the closure of a consonant, samples: 120 ms. */
const SHORTEST_PAUSE = 0.12 * RATE
/** Where nobody pauses for longer than this share of a piece, the quietest place of every such stretch serves as well. */
const REACH = 0.1
/** A pause of a quarter of a second costs 1; half as long, four times as much. */
const FAIR_PAUSE = 0.25 * RATE
/** A cut in speech costs more than in any pause: this much and, by its level, up to twenty more. */
const IN_SPEECH = 10

const costOf = (pause: Region): number => Math.min(IN_SPEECH, (FAIR_PAUSE / lengthOf(pause)) ** 2)

/**
 * Every place where a recording may be cut into pieces of at most `longest` samples, in order; never farther apart than
 * two fifths of that. `levels` finds the quietest place where nobody pauses.
 */
export function cutPoints({ regions, pauses }: Kept, levels: LevelProfile, longest: number): CutPoint[] {
  const points: CutPoint[] = []
  let kept = 0
  let next = 0
  for (const region of regions) {
    const end = kept + lengthOf(region)
    const at = (source: number) => kept + source - region.start
    const own: CutPoint[] = []
    let gap: Region | null = null
    for (; next < pauses.length && (pauses[next] as Region).start < region.end; next++) {
      const pause = pauses[next] as Region
      if (pause.end >= region.end) gap = pause
      else if (lengthOf(pause) >= SHORTEST_PAUSE && pause.start > region.start) {
        own.push({ kept: at(levels.quietest(pause).at), cost: costOf(pause) })
      }
    }
    // Between two regions a cut loses nothing: what lay there is not kept.
    own.push({ kept: end, cost: gap === null ? IN_SPEECH : costOf(gap) })
    for (const point of own) {
      const from = points.at(-1)?.kept ?? 0
      points.push(
        ...inSpeech(from, point.kept, longest * REACH, (a, b) =>
          levels.quietest({ start: region.start + a - kept, end: region.start + b - kept }),
        ).map((trough) => ({ kept: at(trough.at), cost: IN_SPEECH + 20 + trough.level / 5 })),
      )
      points.push(point)
    }
    kept = end
  }
  return points.slice(0, -1)
}

/** The quietest places of a stretch without a pause: one for each `reach` of it. Half-open, in kept samples. */
function inSpeech<T>(from: number, to: number, reach: number, quietest: (from: number, to: number) => T): T[] {
  const count = Math.floor((to - from) / reach)
  const share = (to - from) / count
  return Array.from({ length: count }, (_, i) =>
    quietest(Math.round(from + share * i), Math.round(from + share * (i + 1))),
  )
}
