import type { Box } from '../../src/media/picture/rule.ts'
import { decoding, fromPixels } from './decoder.ts'
import type { Look } from './look.ts'
import type { Reading } from './recogniser.ts'

/** The bounds that let through 20 of 63 measured pages, with 99 % of their words and never less than 95 %. */
const LEAST_CONFIDENCE = 92
const MOST_WEAK = 0.05
const WEAK = 60
/** A reader that left out a column is as sure of itself as one that did not; what it saw tells them apart. */
const LEAST_COVERAGE = 0.95
const LEAST_ALIKE = 0.95
/** X-height at which text is read best, px, and how far a view is enlarged for it. */
const READ_AT = 15
const MOST_ENLARGED = 3
const MOST_READ_PIXELS = 5_000_000

/** The text of a page that is nothing but text, read here; null where it cannot be trusted to be all of it. */
export async function readPage({ view, text, spots }: Look): Promise<string | null> {
  if (text === null || text.isFew) return null
  const wanted = READ_AT / (text.xHeight * view.scale)
  const room = Math.sqrt(MOST_READ_PIXELS / (view.width * view.height))
  const scale = Math.max(1, Math.min(wanted, MOST_ENLARGED, room))
  const width = Math.round(view.width * scale)
  const png = await decoding(() =>
    fromPixels(view).resize({ width }).greyscale().png({ compressionLevel: 1 }).toBuffer(),
  )
  // Loaded here, because most pictures are never read and the library takes twenty megabytes.
  const { openRecogniser } = await import('./recogniser.ts')
  await using recogniser = await openRecogniser()
  const found = await recogniser.read(png, 'page')
  if (!isSure(found, spots, scale)) return null
  // What both layouts agree on is no accident of the layout.
  const even = await recogniser.read(png, 'block')
  return isSure(even, spots, scale) && isAlike(found, even) ? found.text : null
}

function isSure({ words }: Reading, spots: readonly Box[], scale: number): boolean {
  if (words.length === 0) return false
  const mean = words.reduce((sum, word) => sum + word.confidence, 0) / words.length
  const weak = words.filter((word) => word.confidence < WEAK).length
  if (mean < LEAST_CONFIDENCE || weak > words.length * MOST_WEAK) return false
  const boxes = words.map((word) => word.box)
  const covered = spots.filter((spot) => boxes.some((box) => holds(box, spot, scale))).length
  return covered >= spots.length * LEAST_COVERAGE
}

/** Whether the middle of a spot of the view lies in a box of what was read. */
function holds(box: Box, spot: Box, scale: number): boolean {
  const x = (spot.left + spot.width / 2) * scale
  const y = (spot.top + spot.height / 2) * scale
  return x >= box.left && x <= box.left + box.width && y >= box.top && y <= box.top + box.height
}

/** Whether two readings have the same words, in whatever order. */
function isAlike(a: Reading, b: Reading): boolean {
  const left = new Map<string, number>()
  for (const { text } of a.words) left.set(text, (left.get(text) ?? 0) + 1)
  let shared = 0
  for (const { text } of b.words) {
    const count = left.get(text) ?? 0
    if (count === 0) continue
    left.set(text, count - 1)
    shared++
  }
  return shared >= LEAST_ALIKE * Math.max(a.words.length, b.words.length)
}
