import type { CutPoint } from './cut-points.ts'
import { lengthOf, type Region } from './samples.ts'

/** What a piece of sound may be at most, and should be at least, samples. */
export interface PieceBounds {
  readonly longest: number
  readonly shortest: number
}

/**
 * What one more piece costs, in the measure of cuts (cut-points.ts): as much as a fair pause. So pieces stay few, but no cut
 * goes through speech where a pause is in reach.
 */
export const PIECE = 1

interface Best {
  readonly cost: number
  /** Index of the cut before; -1 for the beginning. */
  readonly from: number
}

/**
 * Where to cut: few pieces within bounds, in long pauses. Gives the kept samples before each cut, in order. A piece is shorter than `shortest` only where no other way is left. `total`: all kept samples.
 */
export function planCuts(points: readonly CutPoint[], total: number, bounds: PieceBounds): number[] {
  if (total <= bounds.longest) return []
  const shortest = Math.min(bounds.shortest, bounds.longest / 2)
  return cheapest(points, total, { ...bounds, shortest }) ?? cheapest(points, total, { ...bounds, shortest: 0 }) ?? []
}

/**
 * A dynamic programme from left to right. What may precede a cut slides along as a window, and is kept in a queue in which
 * nothing stands behind something better, so that the first is always the best.
 */
function cheapest(points: readonly CutPoint[], total: number, { longest, shortest }: PieceBounds): number[] | null {
  const all = [...points, { kept: total, cost: 0 }]
  const best: (Best | null)[] = []
  const at = (i: number) => (i < 0 ? 0 : (all[i] as CutPoint).kept)
  const value = (i: number): Best | null => (i < 0 ? { cost: 0, from: -1 } : (best[i] as Best | null))
  const queue: number[] = []
  let head = 0
  let entering = -1
  for (let i = 0; i < all.length; i++) {
    for (; entering < i && at(entering) <= at(i) - Math.max(1, shortest); entering++) {
      const comes = value(entering)
      if (comes === null) continue
      while (queue.length > head && (value(queue.at(-1) as number) as Best).cost >= comes.cost) queue.pop()
      queue.push(entering)
    }
    while (head < queue.length && at(queue[head] as number) < at(i) - longest) head++
    const from = queue[head]
    const before = from === undefined ? null : (value(from) as Best)
    best.push(
      before === null || from === undefined ? null : { cost: before.cost + PIECE + (all[i] as CutPoint).cost, from },
    )
  }
  if (best.at(-1) === null) return null
  const cuts: number[] = []
  for (let i = value(all.length - 1)?.from ?? -1; i >= 0; i = (best[i] as Best).from) cuts.push(at(i))
  return cuts.reverse()
}

/** The regions of each piece: what is kept, parted at the cuts. */
export function partRegions(regions: readonly Region[], cuts: readonly number[]): Region[][] {
  const pieces: Region[][] = [[]]
  let kept = 0
  let next = 0
  for (const region of regions) {
    let start = region.start
    const end = kept + lengthOf(region)
    for (; next < cuts.length && (cuts[next] as number) <= end; next++) {
      const cut = region.start + (cuts[next] as number) - kept
      if (cut > start) pieces.at(-1)?.push({ start, end: cut })
      pieces.push([])
      start = cut
    }
    if (region.end > start) pieces.at(-1)?.push({ start, end: region.end })
    kept = end
  }
  return pieces.filter((piece) => piece.length > 0)
}
