import type { Instant } from '../units.ts'
import { inputRate, outputRate } from './price.ts'
import type { PriceRow } from './price-row.ts'
import type { PriceSheet } from './price-sheet.ts'

/** Where a model is bought. */
export interface Offer {
  /** The seller as the price sheet knows it, then others whose prices it may pass on. */
  readonly sellers: readonly string[]
  /** Names of the model, best first: the provider's own, then what callers call it. */
  readonly names: readonly string[]
  readonly kind: 'conversation' | 'transcription' | 'vision'
}

/**
 * The price of a model on offer (M2). Null for one that nobody knows; `dearest` then takes the dearest of its kind instead,
 * so that nothing is ever booked at zero.
 */
export function findPrice(
  sheet: PriceSheet,
  offer: Offer,
  unknown: 'refuse' | 'dearest',
  at: Instant,
): PriceRow | null {
  for (const seller of offer.sellers) {
    for (const name of offer.names) {
      const row = sheet.priceFor(seller, name, at)
      if (row !== null) return row
    }
  }
  return unknown === 'dearest' ? dearestOf(sheet, offer.kind) : null
}

const KINDS: Record<Offer['kind'], ReadonlySet<PriceRow['kind']>> = {
  conversation: new Set<PriceRow['kind']>(['realtime']),
  transcription: new Set<PriceRow['kind']>(['transcription', 'transcription_stream']),
  vision: new Set<PriceRow['kind']>(['vision']),
}

function dearestOf(sheet: PriceSheet, kind: Offer['kind']): PriceRow | null {
  let dearest: PriceRow | null = null
  for (const row of sheet.rows) {
    if (KINDS[kind].has(row.kind) && (dearest === null || priceOf(row) > priceOf(dearest))) dearest = row
  }
  return dearest
}

/** For comparison only: a minute of speech in and out, by tokens or by time; a thousand tokens of text for what has no audio. */
function priceOf(row: PriceRow): number {
  const time = row.prices.audioTime
  const byTime = time === undefined ? 0 : (time.pico / time.per) * 60_000
  if (row.kind === 'vision') return (inputRate(row, 'textIn').pico + outputRate(row, 'textOut').pico) * 1_000
  return Math.max(byTime, inputRate(row, 'audioIn').pico * 600 + outputRate(row, 'audioOut').pico * 1_200)
}
