import type { Instant } from '../../units.ts'
import type { PictureTarget } from '../picture-target.ts'
import { count } from './count.ts'
import { cheapestResize, type Resize, type Way } from './resize.ts'
import type { Box, Size } from './rule.ts'
import { type Detail, providerNamed, rulesOf } from './rule-table.ts'
import { Slicer } from './slices.ts'
import { tokensOf } from './tokens-of.ts'

/** What has been found out about a picture that stands upright. */
export interface PictureFacts {
  readonly size: Size
  /** What is left without an even border; null where there is none. */
  readonly content: Box | null
  readonly text: TextFacts | null
}

export interface TextFacts {
  /** Height of an x in the small text, px of the picture. */
  readonly xHeight: number
  /** A picture with a few words in it, which must be seen as a picture too. */
  readonly isFew: boolean
  /** Where words stand, px of the picture; null where nobody has looked. */
  readonly words: readonly Box[] | null
}

export interface PlanWish {
  /** Text must stay legible at this x-height, px. */
  readonly minXHeight: number
  readonly crop: boolean
  readonly slices: boolean
}

/** What to send. */
export interface PicturePlan {
  /** Parts of the upright original in reading order, each with the size it is sent at. */
  readonly pieces: readonly { readonly box: Box; readonly size: Size }[]
  readonly detail: Detail
  /** Of all pieces. */
  readonly tokens: number
  /** The whole picture, seen as it would have been: nothing smaller saves anything. */
  readonly untouched: boolean
}

/** A picture without text is sent with at least so long a side, px: what general questions need. */
const PICTURE_SIDE = 768
/** Below this short side models see little, px (Anthropic's guide warns). */
const LEAST_SHORT_SIDE = 200
/** Slices in one direction, and in all: above 20 pictures Anthropic takes smaller ones only. */
const MOST_SLICES_A_SIDE = 6
const MOST_SLICES = 20
/** Details tried where the caller leaves the choice, the dearest mistake last: among equals the first is taken. */
const CHOICE: readonly Detail[] = ['auto', 'high', 'low', 'original']
/** An x-height is known to this share of itself. */
const SLACK = 0.02

/** The fewest tokens for which everything that matters can still be seen. Null where the provider takes it in no size. */
export function planPicture(
  target: PictureTarget,
  facts: PictureFacts,
  wish: PlanWish,
  at: Instant,
): PicturePlan | null {
  const { size, text } = facts
  const ways = waysOf(target, at)
  const whole: Box = { left: 0, top: 0, ...size }
  const original = tokensOf(target, size.width, size.height, at)
  const most = original.refused ? Number.POSITIVE_INFINITY : original.tokens

  const content = wish.crop ? facts.content : null
  // An even border shows nothing, so it counts for nothing: with it or without, what it surrounds is seen as large.
  const scale = legibleScale(content ?? whole, text, wish.minXHeight)
  const roomy = content === null ? whole : withRoom(content, size, scale)
  let best: PicturePlan | null = null
  for (const box of content === null ? [whole] : [whole, roomy, content]) {
    const resize = cheapestResize(box, leastScale(box, scale), ways)
    // The same content is seen larger, for the same tokens, the less there is around it: the later box is as good.
    if (resize !== null && (best === null || resize.tokens <= best.tokens)) best = inOne(box, resize, false)
  }
  if (best === null) return null
  if (text !== null && wish.slices) {
    const sliced = cheapestSlices(roomy, text, wish.minXHeight, ways)
    const isLegible = isLegibleIn(best, text, wish.minXHeight, ways)
    if (sliced !== null && (!isLegible || sliced.tokens < best.tokens)) best = sliced
    if (best === sliced) return best
  }
  if (best.tokens < most) return best
  const asItCame = cheapestResize(size, 1, waysOf(target, at, true))
  return asItCame === null ? best : inOne(whole, asItCame, true)
}

/** With `asAsked` only what the caller named; else everything the model tells apart, where the caller leaves it open. */
function waysOf({ provider, model, detail: asked }: PictureTarget, at: Instant, asAsked = false): Way[] {
  const { byDetail } = rulesOf(provider, model, at)
  const { maxSide: longest } = providerNamed(provider)
  const auto = byDetail.get('auto')
  const open = asked === 'auto' && !asAsked && auto?.rule.kind !== 'fixed'
  const details = open ? CHOICE : [asked]
  const ways: Way[] = []
  for (const detail of details) {
    const named = byDetail.get(detail) ?? (open ? undefined : auto)
    // What is counted alike is the same way.
    if (named === undefined || ways.some(({ rule }) => rule === named.rule)) continue
    ways.push({ detail, rule: named.rule, ...(longest === undefined ? {} : { longest }) })
  }
  return ways
}

function inOne(box: Box, { sent, detail, tokens }: Resize, untouched: boolean): PicturePlan {
  return { pieces: [{ box, size: sent }], detail, tokens, untouched }
}

function leastScale({ width, height }: Size, legible: number): number {
  return Math.min(1, Math.max(legible, LEAST_SHORT_SIDE / Math.min(width, height)))
}

/** At which everything can be seen. */
function legibleScale(size: Size, text: TextFacts | null, minXHeight: number): number {
  const longer = Math.max(size.width, size.height)
  const asText = text === null ? 0 : minXHeight / text.xHeight
  const asPicture = text === null || text.isFew ? PICTURE_SIDE / longer : 0
  return Math.min(1, Math.max(asText, asPicture))
}

/** Some of the border is left around a strip that would be enlarged otherwise, for the sake of its short side. */
function withRoom(content: Box, size: Size, scale: number): Box {
  const least = Math.ceil(LEAST_SHORT_SIDE / scale)
  const [left, width] = widened(content.left, content.width, least, size.width)
  const [top, height] = widened(content.top, content.height, least, size.height)
  return { left, top, width, height }
}

function widened(from: number, length: number, least: number, most: number): [from: number, length: number] {
  const wider = Math.min(most, Math.max(length, least))
  return [Math.min(Math.max(0, from - ((wider - length) >> 1)), most - wider), wider]
}

/** Whether text keeps its x-height, or its own size where that is smaller, as the model sees it. */
function isLegibleIn(
  { pieces, detail }: PicturePlan,
  text: TextFacts,
  minXHeight: number,
  ways: readonly Way[],
): boolean {
  const needed = Math.min(1, minXHeight / text.xHeight) * (1 - SLACK)
  const rule = ways.find((way) => way.detail === detail)?.rule
  return rule !== undefined && pieces.every(({ box, size }) => count(rule, size).seen.width / box.width >= needed)
}

/** The grid of fewest tokens in which every slice is legible; null where none is. */
function cheapestSlices(box: Box, text: TextFacts, minXHeight: number, ways: readonly Way[]): PicturePlan | null {
  const legible = Math.min(1, minXHeight / text.xHeight)
  const slicer = new Slicer(box, text)
  let best: PicturePlan | null = null
  for (let columns = 1; columns <= MOST_SLICES_A_SIDE; columns++) {
    for (let rows = 1; rows <= MOST_SLICES_A_SIDE && columns * rows <= MOST_SLICES; rows++) {
      if (columns * rows === 1) continue
      const { size, boxes } = slicer.grid(columns, rows)
      const shorter = Math.min(size.width, size.height)
      // A slice is no smaller than models can see, but where the picture itself is.
      if (shorter < Math.min(LEAST_SHORT_SIDE, box.width, box.height)) continue
      const scale = Math.min(1, Math.max(legible, LEAST_SHORT_SIDE / shorter))
      const resize = cheapestResize(size, scale, ways)
      if (resize === null || resize.seen.width / size.width < scale * (1 - SLACK)) continue
      const tokens = resize.tokens * boxes.length
      if (best !== null && tokens >= best.tokens) continue
      const pieces = boxes.map((part) => ({ box: part, size: resize.sent }))
      best = { pieces, detail: resize.detail, tokens, untouched: false }
    }
  }
  return best
}
