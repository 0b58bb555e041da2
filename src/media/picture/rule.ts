import { z } from 'zod'

/** Longest side that any provider takes, px; what a parameter may be at most. */
const side = z.int().min(1).max(65_535)

/** 512-px tiles of a picture that is first fitted into a square and then to a short side. */
const TileRule = z.strictObject({
  kind: z.literal('tile'),
  base: z.int().min(0),
  tile: z.int().min(1),
  fit: side.default(2_048),
  shortSide: side.default(768),
  tileSide: side.default(512),
})

/** One price for every picture, whatever its size: the provider shows the model a thumbnail of at most `side`. */
const ThumbnailRule = z.strictObject({ kind: z.literal('thumbnail'), base: z.int().min(1), side: side.default(512) })

/** Square patches, each a token times `multiplier`; what is above the budget is shrunk, or refused. */
const PatchRule = z.strictObject({
  kind: z.literal('patch'),
  patchSide: side.default(32),
  maxSide: side,
  /** Patches; null for no budget. */
  budget: z.int().min(1).nullable(),
  multiplier: z.number().positive().max(10),
  /** Patches above which the request is refused; null for never. */
  refusedAbove: z.int().min(1).nullable().default(null),
})

/** Anthropic's: the largest size of the same shape within an edge and a number of tokens, each a patch. */
const EdgeRule = z.strictObject({
  kind: z.literal('edge'),
  patchSide: side.default(28),
  maxSide: side,
  maxTokens: z.int().min(1),
})

/** Google's of the second generation: a grid whose unit follows the short side. */
const CropRule = z.strictObject({
  kind: z.literal('crop'),
  tokens: z.int().min(1),
  /** Both sides up to this: one unit. */
  smallSide: side.default(384),
  leastUnit: side.default(1),
  mostUnit: side.default(65_535),
  /** Each unit is shown to the model at this size, px. */
  shownAt: side.default(768),
})

/** The same for every picture; the pixels do not matter. */
const FixedRule = z.strictObject({ kind: z.literal('fixed'), tokens: z.int().min(1) })

export const PictureRule = z.discriminatedUnion('kind', [
  TileRule,
  ThumbnailRule,
  PatchRule,
  EdgeRule,
  CropRule,
  FixedRule,
])
/** How a provider counts a picture: a kind of arithmetic with its parameters. Which model has which is data (rules.json). */
export type PictureRule = z.infer<typeof PictureRule>

export interface Size {
  readonly width: number
  readonly height: number
}

/** A part of a picture, px from its upper left corner. */
export interface Box extends Size {
  readonly left: number
  readonly top: number
}

/** What a rule makes of one picture. */
export interface Count {
  readonly tokens: number
  /** Tiles, patches or grid cells; 0 where the rule has none. */
  readonly units: number
  /** Size at which the model sees it, px; never more than was sent. */
  readonly seen: Size
  /** The provider would answer with an error. */
  readonly refused: boolean
}
