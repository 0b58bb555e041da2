import type { Box } from '../../src/media/picture/rule.ts'
import type { Pixels } from './decoder.ts'

/**
 * Farthest that a sample of an even border may be from its row's own colour, of 255: what an encoder leaves, because an even
 * sky is part of a picture and a pale box part of a screen; on a page so many times what its outermost row shows, up to the
 * noise of a poor scan.
 */
export const NOISE = { picture: 8, page: 28 } as const
const NOISE_TO_SEEN = 2
/** Pixels in a row of border that may be anything: dust, not letters. */
const DUST = 1
/** Farthest that a border's colour may be from its outermost row's, of 255: shadows drift, the next thing does not. */
const DRIFT = 24
/** Where a line of a striped border changes its colour, at most: side bar, page, scroll bar. More are bars of a chart. */
const MOST_CHANGES = 5
/** The edge of a stripe may be soft, px. */
const SOFT = 3
/** Farthest that a line of a striped border may be from the outermost one, of 255: drawn ones are the same, photographed never. */
const SAME = 2
/** A page in a frame, on a table: borders within borders. */
const MOST_BORDERS = 3
/** Kept around what is left, of its longer side. */
const MARGIN = 0.01

/** Edges in px: the first row and column within, and the first without. */
interface Edges {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/**
 * What is left of a picture without the even borders around it, with a margin; null where it has none, or is nothing else.
 * Each side may have its own colour, or stripes of several that run on to the edge, as a side bar and the page beside it do
 * below their last line.
 */
export function contentOf(pixels: Pixels, most: number): Box | null {
  const { width, height } = pixels
  const whole: Edges = { left: 0, top: 0, right: width, bottom: height }
  const seen = Math.max(deviationIn(pixels, 0), deviationIn(pixels, height - 1))
  const noise = Math.min(most, Math.max(NOISE.picture, seen * NOISE_TO_SEEN))
  let edges = whole
  for (let i = 0; i < MOST_BORDERS; i++) {
    const inner = withoutBorder(pixels, edges, noise)
    if (inner === null || (i > 0 && !isFrame(inner, edges))) break
    edges = inner
  }
  const margin = Math.ceil(Math.max(edges.right - edges.left, edges.bottom - edges.top) * MARGIN)
  const left = Math.max(0, edges.left - margin)
  const top = Math.max(0, edges.top - margin)
  const right = Math.min(width, edges.right + margin)
  const bottom = Math.min(height, edges.bottom + margin)
  if (isSame({ left, top, right, bottom }, whole)) return null
  return { left, top, width: right - left, height: bottom - top }
}

/** The first border may be on one side only; one within it is on all sides, or it is the picture's own. */
const isFrame = (inner: Edges, outer: Edges): boolean =>
  inner.left > outer.left && inner.top > outer.top && inner.right < outer.right && inner.bottom < outer.bottom

const isSame = (a: Edges, b: Edges): boolean =>
  a.left === b.left && a.top === b.top && a.right === b.right && a.bottom === b.bottom

/** One border less; null where nothing would be left. */
function withoutBorder(pixels: Pixels, { left, top, right, bottom }: Edges, noise: number): Edges | null {
  const row = (y: number) => ({ left, right, top: y, bottom: y + 1 })
  const above = borderOf(pixels, bottom - top, (i) => row(top + i), noise)
  const below = borderOf(pixels, bottom - top, (i) => row(bottom - 1 - i), noise)
  const inner = { top: top + above, bottom: bottom - below }
  if (inner.top >= inner.bottom) return null
  const column = (x: number) => ({ ...inner, left: x, right: x + 1 })
  const before = borderOf(pixels, right - left, (i) => column(left + i), noise)
  const after = borderOf(pixels, right - left, (i) => column(right - 1 - i), noise)
  return before + after >= right - left ? null : { ...inner, left: left + before, right: right - after }
}

type Colour = readonly [red: number, green: number, blue: number]

/** How many lines from the edge on are of one colour, which may drift, or of the same stripes. */
function borderOf(pixels: Pixels, length: number, line: (i: number) => Edges, noise: number): number {
  const first = colourOf(pixels, line(0), noise)
  if (first === null && !isStriped(pixels, line(0))) return 0
  const isBorder = (i: number) =>
    first === null ? isAlike(pixels, line(i), line(0)) : isNear(colourOf(pixels, line(i), noise), first, DRIFT)
  let lines = 1
  while (lines < length && isBorder(lines)) lines++
  // A single one repeats nothing.
  return first === null && lines === 1 ? 0 : lines
}

const isNear = (a: Colour | null, b: Colour, most: number): boolean =>
  a?.every((value, channel) => Math.abs(value - (b[channel] as number)) <= most) === true

/** The one colour of a line that is a pixel thick; null where it has more than one. */
function colourOf(pixels: Pixels, line: Edges, noise: number): Colour | null {
  const { data } = pixels
  const { at: first, step, count } = alongLine(pixels, line)
  const colour: Colour = [
    middle(data, first, step, count),
    middle(data, first + 1, step, count),
    middle(data, first + 2, step, count),
  ]
  let others = 0
  for (let i = 0, at = first; i < count; i++, at += step) {
    const isOther =
      Math.abs((data[at] as number) - colour[0]) > noise ||
      Math.abs((data[at + 1] as number) - colour[1]) > noise ||
      Math.abs((data[at + 2] as number) - colour[2]) > noise
    if (isOther && ++others > DUST) return null
  }
  return colour
}

/** Whether two lines that are a pixel thick show the same, dust aside. */
function isAlike(pixels: Pixels, one: Edges, other: Edges): boolean {
  const { step, count, at: first } = alongLine(pixels, one)
  const { at: second } = alongLine(pixels, other)
  let others = 0
  for (let i = 0; i < count; i++)
    if (differ(pixels.data, first + i * step, second + i * step, SAME) && ++others > DUST) return false
  return true
}

/** Whether a line that is a pixel thick is of a few even stretches. */
function isStriped(pixels: Pixels, line: Edges): boolean {
  const { step, count, at } = alongLine(pixels, line)
  let changes = 0
  let from = 0
  for (let i = 1; i < count; i++) {
    if (!differ(pixels.data, at + i * step, at + from * step, NOISE.picture)) continue
    if (i - from >= SOFT) {
      // A stripe ends at an edge; what has changed little by little is no stripe.
      if (!differ(pixels.data, at + i * step, at + (i - SOFT) * step, NOISE.picture)) return false
      if (++changes > MOST_CHANGES) return false
    }
    from = i
  }
  return true
}

/** Where a line's first sample lies, how far its pixels are apart, and how many it has. */
function alongLine({ width }: Pixels, { left, top, right, bottom }: Edges) {
  const step = right - left > 1 ? 3 : width * 3
  return { at: (top * width + left) * 3, step, count: Math.max(right - left, bottom - top) }
}

const differ = (data: Buffer, a: number, b: number, most: number): boolean =>
  Math.abs((data[a] as number) - (data[b] as number)) > most ||
  Math.abs((data[a + 1] as number) - (data[b + 1] as number)) > most ||
  Math.abs((data[a + 2] as number) - (data[b + 2] as number)) > most

/** Farthest that any but the dust of a row is from its colour. */
function deviationIn({ data, width }: Pixels, row: number): number {
  const first = row * width * 3
  const colour = [0, 1, 2].map((channel) => middle(data, first + channel, 3, width))
  const [red, green, blue] = colour as [number, number, number]
  const seen = new Uint32Array(256)
  for (let x = 0, at = first; x < width; x++, at += 3) {
    const by = Math.max(
      Math.abs((data[at] as number) - red),
      Math.abs((data[at + 1] as number) - green),
      Math.abs((data[at + 2] as number) - blue),
    )
    seen[by] = (seen[by] as number) + 1
  }
  let deviation = 255
  for (let farther = seen[255] as number; deviation > 0 && farther <= DUST; ) farther += seen[--deviation] as number
  return deviation
}

/** Samples looked at for the colour of a line. */
const LOOKED_AT = 64

function middle(data: Buffer, first: number, step: number, count: number): number {
  const stride = Math.max(1, Math.floor(count / LOOKED_AT))
  const values = new Uint8Array(Math.ceil(count / stride))
  for (let i = 0; i < values.length; i++) values[i] = data[first + i * stride * step] as number
  values.sort()
  return values[values.length >> 1] as number
}
