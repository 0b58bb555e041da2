import sheet from '../src/meter/price-sheet.json' with { type: 'json' }
import type { BillRecord } from '../src/upstream/loopback/loopback-session.ts'

/** Tokens by kind, as the provider's bill has them. */
export interface Count {
  textIn: number
  audioIn: number
  textCachedIn: number
  audioCachedIn: number
  textOut: number
  audioOut: number
  /** Billed by length, ms. */
  audioMs: number
}

export const NOTHING: Count = {
  textIn: 0,
  audioIn: 0,
  textCachedIn: 0,
  audioCachedIn: 0,
  textOut: 0,
  audioOut: 0,
  audioMs: 0,
}

/** Nano-dollars, and tokens weighted by their price beside a token of text that is read. */
export interface Worth {
  readonly money: number
  readonly tokens: number
}

/** What a bill counts. Cached tokens are part of those read. */
export function countOf(bill: BillRecord): Count {
  if (bill.kind === 'response') {
    const { input_token_details: read, output_token_details: wrote } = bill.usage
    return {
      textIn: read.text_tokens,
      audioIn: read.audio_tokens,
      textCachedIn: read.cached_tokens_details.text_tokens,
      audioCachedIn: read.cached_tokens_details.audio_tokens,
      textOut: wrote.text_tokens,
      audioOut: wrote.audio_tokens,
      audioMs: 0,
    }
  }
  const { usage } = bill
  if (usage.type === 'duration') return { ...NOTHING, audioMs: Math.round(Number(usage.seconds) * 1_000) }
  return { ...NOTHING, audioIn: Number(usage.input_tokens), textOut: Number(usage.output_tokens) }
}

type Prices = Readonly<Record<string, string>>

/**
 * The checker's own arithmetic, from nothing but the sheet's dollars per million tokens. A price of 0.4 is 400 nano-dollars
 * a token, so that every product of the models used here is whole.
 */
export function worthOf(model: string, count: Count): Worth {
  const prices = pricesOf(model)
  const perToken = (unit: string) => Math.round(Number(prices[unit] ?? 0) * 1_000)
  const base = perToken('textIn')
  const weight = (unit: string) => (base === 0 ? 1 : Math.ceil((perToken(unit) * 1_000) / base) / 1_000)
  const parts: [string, number][] = [
    ['textIn', count.textIn - count.textCachedIn],
    ['audioIn', count.audioIn - count.audioCachedIn],
    ['textCachedIn', count.textCachedIn],
    ['audioCachedIn', count.audioCachedIn],
    ['textOut', count.textOut],
    ['audioOut', count.audioOut],
  ]
  const perMs = (Number((prices.audioTime ?? '0/min').split('/')[0]) * 1e9) / 60_000
  return {
    money: Math.ceil(parts.reduce((sum, [unit, n]) => sum + n * perToken(unit), count.audioMs * perMs)),
    tokens: Math.ceil(parts.reduce((sum, [unit, n]) => sum + Math.round(n * weight(unit) * 1_000), 0) / 1_000),
  }
}

function pricesOf(model: string): Prices {
  const row = sheet.rows.find((r) => r.provider === 'openai' && r.model === model)
  if (row === undefined) throw new Error(`no price for ${model}`)
  return row.prices as unknown as Prices
}

export function plus(a: Count, b: Count): Count {
  const names = Object.keys(NOTHING) as (keyof Count)[]
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as Count
}
