import { WARM_UP_CELLS } from './windows.ts'

/** Cells around a voice that are looked at as well: nearly half a second on both sides. */
const MARGIN = 1
/** A quiet gap shorter than this costs less to listen through than to settle anew after it, cells. */
const BRIDGE = WARM_UP_CELLS + 2
/**
 * Longest piece listened to in one go: 38.4 s. Longer ones take less music for voices, but after minutes of noise the model
 * begins to miss words (0 of 16,000 at 19 s, 1 at 38 s, dozens without end), and fewer pieces can be heard side by side.
 */
const LONGEST = 80

/** Cells of a window that are worth the model's time, first and the one after the last. */
export interface CellRange {
  readonly from: number
  readonly to: number
}

/**
 * Which cells of a window the model is shown: those in which the gate heard something and their neighbours, in pieces of at
 * most 38 s. The first and the last cell count always, because what lies beyond them is not known here.
 */
export function stretches(voiced: readonly boolean[]): CellRange[] {
  const active: CellRange[] = []
  for (let i = 0; i < voiced.length; i++) {
    const isNear = voiced.slice(Math.max(0, i - MARGIN), i + MARGIN + 1).some((voice) => voice)
    if (!isNear && i > 0 && i < voiced.length - 1) continue
    const last = active.at(-1)
    if (last !== undefined && i - last.to < BRIDGE) active[active.length - 1] = { from: last.from, to: i + 1 }
    else active.push({ from: i, to: i + 1 })
  }
  return active.flatMap(({ from, to }) => {
    const count = Math.ceil((to - from) / LONGEST)
    const edge = (i: number) => from + Math.round(((to - from) * i) / count)
    return Array.from({ length: count }, (_, i) => ({ from: edge(i), to: edge(i + 1) }))
  })
}
