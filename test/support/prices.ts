import type { PriceRow } from '../../src/meter/price-row.ts'
import { PriceSheet } from '../../src/meter/price-sheet.ts'
import { NO_TOKENS, NOTHING, type TokenCount, type Usage } from '../../src/meter/usage.ts'
import { instant, tokens } from '../../src/units.ts'

export const SHEET = PriceSheet.load()
export const on = (day: string) => instant(Date.parse(`${day}T00:00:00Z`))
export const TODAY = on('2026-11-25')

/** The row of a model that must be there. */
export function rowOf(model: string, provider = 'openai', region: string | null = null): PriceRow {
  const row = SHEET.priceFor(provider, model, TODAY, region)
  if (row === null) throw new Error(`no price for ${provider}/${model}`)
  return row
}

/** A row of one's own. */
export function customRow(row: Record<string, unknown>): PriceRow {
  const sheet = PriceSheet.load({
    version: 1,
    rows: [{ id: 'x/m', provider: 'x', model: 'm', kind: 'realtime', ...row }],
  })
  const [first] = sheet.rows
  if (first === undefined) throw new Error('no row')
  return first
}

export const count = (c: Partial<Record<keyof TokenCount, number>>): TokenCount => ({
  ...NO_TOKENS,
  ...(c as Partial<TokenCount>),
})

/** A usage in tokens. */
export const used = (
  read: Partial<Record<keyof TokenCount, number>>,
  wrote: Partial<Record<keyof TokenCount, number>> = {},
  cached: Partial<Record<keyof TokenCount, number>> = {},
): Usage => ({ ...NOTHING, in: count(read), out: count(wrote), cached: count(cached), cachedUnsplit: tokens(0) })
