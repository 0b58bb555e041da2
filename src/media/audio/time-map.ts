import { type Ms, ms } from '../../units.ts'
import type { Stretch, TimeMap } from '../prepared-audio.ts'
import type { Span } from '../transcript.ts'
import { type Region, toMs, toSamples } from './samples.ts'

/** The map of a piece made of these regions of its source, in order. */
export function mapOf(regions: readonly Region[]): TimeMap {
  let out = 0
  return regions.map(({ start, end }) => {
    const stretch = { out, source: start, length: end - start }
    out += end - start
    return stretch
  })
}

/** Sound in a piece, samples. */
export function mappedLength(map: TimeMap): number {
  const last = map.at(-1)
  return last === undefined ? 0 : last.out + last.length
}

/** The stretch in which a sample of the piece lies; the first or last for samples beyond. */
function stretchAt(map: TimeMap, out: number): Stretch | null {
  let low = 0
  let high = map.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((map[middle] as Stretch).out <= out) low = middle
    else high = middle - 1
  }
  return map[low] ?? null
}

const within = ({ source, length }: Stretch, at: number) => Math.min(source + length, Math.max(source, at))

/** A sample of the piece on the line of its source. Beyond its ends: the nearest end. */
export function toSource(map: TimeMap, out: number): number {
  const stretch = stretchAt(map, out)
  return stretch === null ? 0 : within(stretch, stretch.source + out - stretch.out)
}

/** A sample of the source on the line of the piece; one that was cut goes to the nearer side. */
export function toPiece(map: TimeMap, source: number): number {
  let nearest = { out: 0, distance: Number.POSITIVE_INFINITY }
  for (const stretch of map) {
    const at = within(stretch, source)
    const distance = Math.abs(at - source)
    if (distance < nearest.distance) nearest = { out: stretch.out + at - stretch.source, distance }
    if (stretch.source >= source) break
  }
  return nearest.out
}

/** A word or segment of the piece on the line of its source. One that ends right at a join ends before the join. */
export function spanToSource(map: TimeMap, { start, end }: Span): Span {
  const from = toSource(map, toSamples(start))
  const last = toSamples(end)
  const stretch = stretchAt(map, last - 1)
  const to = stretch === null ? 0 : within(stretch, stretch.source + last - stretch.out)
  return { start: toMs(from), end: toMs(Math.max(from, to)) }
}

/**
 * A word on the line of its source. It belongs to where it starts: of a word that reaches over a join, what lies behind the
 * join is left out, because in the recording a pause stands there.
 */
export function wordToSource(map: TimeMap, { start, end }: Span): Span {
  const first = toSamples(start)
  const stretch = stretchAt(map, first)
  if (stretch === null) return { start: ms(0), end: ms(0) }
  const shift = stretch.source - stretch.out
  const from = within(stretch, first + shift)
  return { start: toMs(from), end: toMs(Math.max(from, within(stretch, toSamples(end) + shift))) }
}

/** The map of a piece of a piece, straight to the line of the recording. */
export function composeMaps(outer: TimeMap, inner: TimeMap): TimeMap {
  const composed: Stretch[] = []
  for (const { out, source, length } of inner) {
    for (const stretch of outer) {
      const from = Math.max(source, stretch.out)
      const to = Math.min(source + length, stretch.out + stretch.length)
      if (from >= to) continue
      composed.push({ out: out + from - source, source: stretch.source + from - stretch.out, length: to - from })
    }
  }
  return composed
}

/** The stretch of the recording that a piece comes from, ms. */
export function boundsOf(map: TimeMap): Span {
  const last = map.at(-1)
  const end = last === undefined ? 0 : last.source + last.length
  return { start: toMs(map[0]?.source ?? 0), end: toMs(end) as Ms }
}
