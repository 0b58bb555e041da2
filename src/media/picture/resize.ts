import { count } from './count.ts'
import type { PictureRule, Size } from './rule.ts'
import type { Detail } from './rule-table.ts'

/** One way to send a picture: with this `detail`, counted by this rule. */
export interface Way {
  readonly detail: Detail
  readonly rule: PictureRule
  /** Longest side that the provider takes, px; left out where no limit is known. */
  readonly longest?: number
}

/** A size to send, and what becomes of it. */
export interface Resize {
  readonly detail: Detail
  readonly sent: Size
  readonly seen: Size
  readonly tokens: number
}

/** Longest side that is ever tried, px: above it every provider shrinks or refuses. */
const LONGEST_TRIED = 8_000

const longestOf = ({ longest }: Way): number => Math.min(LONGEST_TRIED, longest ?? LONGEST_TRIED)

/**
 * The fewest tokens at which the model still sees both sides at `leastScale` of the original, or as large as it would see the
 * original itself where that is less; among equals the largest that is seen, then the fewest pixels sent, then the way that
 * comes first. Tries every length of the longer side, so that steps of tiles and patches are found by themselves. Null
 * where every way is refused.
 */
export function cheapestResize(size: Size, leastScale: number, ways: readonly Way[]): Resize | null {
  const most = Math.max(...ways.map((way) => seenScale(size, way)))
  const longest = Math.max(...ways.map(longestOf))
  const scale = Math.min(leastScale, most, longest / longer(size), 1)
  const least = { width: Math.floor(size.width * scale), height: Math.floor(size.height * scale) }
  let best: Resize | null = null
  for (const candidate of candidates(size, ways, Math.max(least.width, least.height))) {
    if (candidate.seen.width < least.width || candidate.seen.height < least.height) continue
    if (best === null || isCheaper(candidate, best)) best = candidate
  }
  return best === null ? null : asSeen(best, ways)
}

/** What the provider would shrink is sent as it would be seen: the same picture in fewer bytes. */
function asSeen(resize: Resize, ways: readonly Way[]): Resize {
  const rule = ways.find((way) => way.detail === resize.detail)?.rule
  if (rule === undefined || area(resize.seen) >= area(resize.sent)) return resize
  const { tokens, seen } = count(rule, resize.seen)
  const isSame = tokens <= resize.tokens && seen.width === resize.seen.width && seen.height === resize.seen.height
  return isSame ? { ...resize, sent: seen, tokens } : resize
}

/** The largest that is seen for at most `budget` tokens; null where nothing is that cheap. */
export function largestWithin(size: Size, budget: number, ways: readonly Way[]): Resize | null {
  let best: Resize | null = null
  for (const candidate of candidates(size, ways, 1)) {
    if (candidate.tokens > budget) continue
    if (
      best === null ||
      area(candidate.seen) > area(best.seen) ||
      (hasSameView(candidate, best) && isCheaper(candidate, best))
    )
      best = candidate
  }
  return best
}

/** How large the model can see the original at most, as a share of its longer side. */
function seenScale(size: Size, { rule }: Way): number {
  const original = longer(size)
  const whole = count(rule, size)
  if (!whole.refused) return longer(whole.seen) / original
  // Fewer pixels are never refused where more are not, so the largest that is taken is found by halving.
  let taken = 0
  let refused = original
  while (refused - taken > 1) {
    const middle = (taken + refused) >> 1
    if (count(rule, sizeOfLonger(size, middle)).refused) refused = middle
    else taken = middle
  }
  return taken / original
}

/** Every size with a longer side of at least `shortest`, in every way that is not refused. */
function* candidates(size: Size, ways: readonly Way[], shortest: number): Generator<Resize> {
  const original = longer(size)
  for (const way of ways) {
    for (let side = Math.min(longestWorthTrying(size, way), longestOf(way)); side >= Math.max(1, shortest); side--) {
      const sent = side === original ? size : sizeOfLonger(size, side)
      const { tokens, seen, refused } = count(way.rule, sent)
      if (!refused) yield { detail: way.detail, sent, seen, tokens }
    }
  }
}

/** A rule that only fits a picture into bounds shows all above them alike; one that rounds twice is tried in full. */
function longestWorthTrying(size: Size, { rule }: Way): number {
  return rule.kind === 'edge' ? Math.min(longer(size), longer(count(rule, size).seen) + 1) : longer(size)
}

function isCheaper(a: Resize, b: Resize): boolean {
  if (a.tokens !== b.tokens) return a.tokens < b.tokens
  if (!hasSameView(a, b)) return area(a.seen) > area(b.seen)
  return area(a.sent) < area(b.sent)
}

const hasSameView = (a: Resize, b: Resize): boolean => area(a.seen) === area(b.seen)
const area = ({ width, height }: Size): number => width * height
const longer = ({ width, height }: Size): number => Math.max(width, height)

/** The same shape with a longer side of `side`; no side becomes 0. */
export function sizeOfLonger(size: Size, side: number): Size {
  const scale = side / longer(size)
  return { width: Math.max(1, Math.round(size.width * scale)), height: Math.max(1, Math.round(size.height * scale)) }
}
