import type { Count, PictureRule, Size } from './rule.ts'

type Kind<K extends PictureRule['kind']> = Extract<PictureRule, { kind: K }>

/** Products of decimals come out a hair above or below a whole number: 2,500 patches times 1.2 are 3,000 tokens, not 3,001. */
const HAIR = 1e-9

const ceil = (x: number): number => Math.ceil(x - HAIR)
const floor = (x: number): number => Math.floor(x + HAIR)
const cells = ({ width, height }: Size, side: number): number => ceil(width / side) * ceil(height / side)

/** Scaled and rounded to the nearest pixel, as the providers' billed figures show; no side becomes 0. */
function scaled({ width, height }: Size, scale: number): Size {
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
}

/** Shrunk so that the longer side is at most `most`. */
function within(size: Size, most: number): Size {
  const longer = Math.max(size.width, size.height)
  return longer <= most ? size : scaled(size, most / longer)
}

/** Tokens of a picture of whole, positive sides in px. */
export function count(rule: PictureRule, size: Size): Count {
  switch (rule.kind) {
    case 'tile':
      return countTiles(rule, size)
    case 'thumbnail':
      return { tokens: rule.base, units: 0, seen: within(size, rule.side), refused: false }
    case 'patch':
      return countPatches(rule, size)
    case 'edge':
      return countWithinEdge(rule, size)
    case 'crop':
      return countCrops(rule, size)
    case 'fixed':
      return { tokens: rule.tokens, units: 0, seen: size, refused: false }
  }
}

function countTiles(rule: Kind<'tile'>, size: Size): Count {
  const fitted = within(size, rule.fit)
  const shorter = Math.min(fitted.width, fitted.height)
  const seen = shorter <= rule.shortSide ? fitted : scaled(fitted, rule.shortSide / shorter)
  const units = cells(seen, rule.tileSide)
  return { tokens: rule.base + rule.tile * units, units, seen, refused: false }
}

function countPatches(rule: Kind<'patch'>, size: Size): Count {
  const fitted = within(size, rule.maxSide)
  const patches = cells(fitted, rule.patchSide)
  const refused = rule.refusedAbove !== null && patches > rule.refusedAbove
  const budget = rule.budget ?? Infinity
  const seen = patches > budget && !refused ? toBudget(rule, budget, fitted) : fitted
  const units = cells(seen, rule.patchSide)
  return { tokens: ceil(units * rule.multiplier), units, seen, refused }
}

/** Shrunk to the budget's area, then on to whole patches on the side that needs it more. */
function toBudget({ patchSide }: Kind<'patch'>, budget: number, size: Size): Size {
  const scale = Math.sqrt((patchSide * patchSide * budget) / (size.width * size.height))
  const across = (size.width * scale) / patchSide
  const down = (size.height * scale) / patchSide
  // A strip thinner than a patch keeps its one row.
  const whole = (n: number) => (n < 1 ? 1 : floor(n) / n)
  return scaled(size, scale * Math.min(whole(across), whole(down)))
}

function countWithinEdge(rule: Kind<'edge'>, size: Size): Count {
  const fits = (s: Size): boolean =>
    ceil(Math.max(s.width, s.height) / rule.patchSide) * rule.patchSide <= rule.maxSide &&
    cells(s, rule.patchSide) <= rule.maxTokens
  let seen = size
  if (!fits(size)) {
    // The count grows with the longer side, so the largest size that fits is found by halving.
    let fitting = 1
    let tooLarge = Math.max(size.width, size.height)
    while (tooLarge - fitting > 1) {
      const middle = (fitting + tooLarge) >> 1
      if (fits(ofLongerSide(size, middle))) fitting = middle
      else tooLarge = middle
    }
    seen = ofLongerSide(size, fitting)
  }
  const tokens = cells(seen, rule.patchSide)
  return { tokens, units: tokens, seen, refused: false }
}

function ofLongerSide({ width, height }: Size, longer: number): Size {
  const shorter = Math.max(1, halfToEven((longer * Math.min(width, height)) / Math.max(width, height)))
  return width >= height ? { width: longer, height: shorter } : { width: shorter, height: longer }
}

function halfToEven(x: number): number {
  const below = Math.floor(x)
  const rest = x - below
  if (Math.abs(rest - 0.5) > HAIR) return Math.round(x)
  return below % 2 === 0 ? below : below + 1
}

function countCrops(rule: Kind<'crop'>, size: Size): Count {
  if (Math.max(size.width, size.height) <= rule.smallSide)
    return { tokens: rule.tokens, units: 1, seen: size, refused: false }
  const free = Math.floor(Math.min(size.width, size.height) / 1.5)
  const unit = Math.min(Math.max(free, rule.leastUnit, 1), rule.mostUnit)
  const units = cells(size, unit)
  const seen = unit > rule.shownAt ? scaled(size, rule.shownAt / unit) : size
  return { tokens: rule.tokens * units, units, seen, refused: false }
}
