import { type Ms, ms, type NanoUsd, nanoUsd, type PicoUsd, picoUsd, tokens } from '../units.ts'
import {
  BILLED_TOKENS,
  type BilledToken,
  type COUNTED_UNITS,
  type PricedUnit,
  type PriceRow,
  type Rate,
} from './price-row.ts'
import { MODALITIES, type Modality, NO_TOKENS, tokensIn, tokensOut, type Usage } from './usage.ts'

/** One unit of a bill. */
export interface CostLine {
  readonly unit: PricedUnit | BilledToken
  /** Tokens, milliseconds or items; after the provider's minimum and steps. */
  readonly quantity: number
  readonly rate: Rate
  /** Quantity times rate. Whole: a line by time is rounded up to the next picodollar. */
  readonly pico: PicoUsd
}

/** What a usage costs, and by which row of the price sheet. */
export interface Cost {
  /** The sum of the lines, rounded up once. */
  readonly nano: NanoUsd
  readonly lines: readonly CostLine[]
  readonly rowId: string
  /** The usage was an estimate, or something in it has no price of its own and was charged at a neighbour's. */
  readonly estimated: boolean
}

type CountedUnit = (typeof COUNTED_UNITS)[number]

const READ: Record<Modality, CountedUnit> = { text: 'textIn', audio: 'audioIn', image: 'imageIn' }
const CACHED: Record<Modality, CountedUnit> = { text: 'textCachedIn', audio: 'audioCachedIn', image: 'imageCachedIn' }
const WRITTEN: Record<Modality, CountedUnit> = { text: 'textOut', audio: 'audioOut', image: 'imageOut' }

/**
 * Prices a usage (pricing.md §1.1), rounding once, at the end and up, so that a budget is never overrun by fractions.
 * Never negative, and never zero for want of a price: a modality that the row does not price is charged at the dearest
 * price of its direction, cached tokens without a cached price as uncached ones, and time that a model priced by tokens
 * reports (or the reverse) is converted. Each of these but the second marks the cost as estimated.
 */
export function cost(usage: Usage, row: PriceRow): Cost {
  const { lines, guessed } = hasTokenPrices(row) ? tokenLines(usage, row) : { lines: [], guessed: false }
  const time = timeLines(usage, row)
  const items = line('textItem', usage.textItems, row.prices.textItem)
  const all = [...lines, ...time.lines, ...items]
  const pico = all.reduce((sum, { pico }) => sum + pico, 0n)
  return {
    nano: nanoUsd(Number((pico + 999n) / 1_000n)),
    lines: all,
    rowId: row.id,
    estimated: usage.estimated || guessed || time.guessed,
  }
}

interface Lines {
  readonly lines: readonly CostLine[]
  /** A quantity or a rate had to be assumed. */
  readonly guessed: boolean
}

function tokenLines(usage: Usage, row: PriceRow): Lines {
  const known = ratesOf(row)
  const isLong = row.longContext !== null && tokensIn(usage) > row.longContext.above
  const rates = isLong ? known.long : known.usual
  const lines: CostLine[] = []
  const add = (unit: BilledToken, n: number) => {
    if (n > 0) lines.push(...line(unit, n, rates[unit]))
  }
  for (const m of MODALITIES) add(READ[m], usage.in[m] - usage.cached[m])
  for (const m of MODALITIES) add(CACHED[m], usage.cached[m])
  add('unsplitIn', usage.unsplitIn)
  for (const m of MODALITIES) add(WRITTEN[m], usage.out[m])
  add('unsplitOut', usage.unsplitOut)
  const unpriced = MODALITIES.some(
    (m) =>
      (usage.in[m] > 0 && row.prices[READ[m]] === undefined) ||
      (usage.out[m] > 0 && row.prices[WRITTEN[m]] === undefined),
  )
  const cacheUnclear = usage.cachedUnsplit > 0 && known.hasCachePrices
  return { lines, guessed: unpriced || cacheUnclear || usage.unsplitIn + usage.unsplitOut > 0 }
}

/** What each kind of token costs by a row, whatever the row leaves open. */
interface TokenRates {
  readonly usual: Readonly<Record<BilledToken, Rate>>
  /** Of a request whose context is long by the row's own measure. */
  readonly long: Readonly<Record<BilledToken, Rate>>
  readonly hasCachePrices: boolean
  readonly hasAny: boolean
}

/** A session prices by the same row a dozen times a turn. Rows never change. */
const knownRates = new WeakMap<PriceRow, TokenRates>()

function ratesOf(row: PriceRow): TokenRates {
  const known = knownRates.get(row)
  if (known !== undefined) return known
  const { inMilli, outMilli } = row.longContext ?? { inMilli: 1_000, outMilli: 1_000 }
  const rates = (of: (unit: BilledToken) => Rate) =>
    Object.fromEntries(BILLED_TOKENS.map((unit) => [unit, of(unit)])) as Record<BilledToken, Rate>
  const usual = rates((unit) => (unit.endsWith('Out') ? outputRate(row, unit) : inputRate(row, unit)))
  const made = {
    usual,
    long: rates((unit) => times(usual[unit], unit.endsWith('Out') ? outMilli : inMilli)),
    hasCachePrices: MODALITIES.some((m) => row.prices[CACHED[m]] !== undefined),
    hasAny: dearest(row, READ) !== undefined || dearest(row, WRITTEN) !== undefined,
  }
  knownRates.set(row, made)
  return made
}

/** What a token read costs; of a modality without a price, what the dearest one costs. */
export function inputRate(row: PriceRow, unit: CostLine['unit']): Rate {
  const full = MODALITIES.find((m) => CACHED[m] === unit)
  const own = rateOf(row, unit) ?? (full === undefined ? undefined : row.prices[READ[full]])
  return own ?? dearest(row, READ) ?? dearest(row, WRITTEN) ?? FREE
}

/** What a token written costs; of a modality without a price, what the dearest one costs. */
export function outputRate(row: PriceRow, unit: CostLine['unit']): Rate {
  return rateOf(row, unit) ?? dearest(row, WRITTEN) ?? dearest(row, READ) ?? FREE
}

/** Only where the row has no price per token at all. */
const FREE: Rate = { pico: 0, per: 1 }

const rateOf = (row: PriceRow, unit: CostLine['unit']): Rate | undefined =>
  unit === 'unsplitIn' || unit === 'unsplitOut' ? undefined : row.prices[unit]

function dearest(row: PriceRow, units: Record<Modality, CountedUnit>): Rate | undefined {
  const priced = MODALITIES.flatMap((m) => row.prices[units[m]] ?? [])
  return priced.length === 0 ? undefined : priced.reduce((most, rate) => (rate.pico > most.pico ? rate : most))
}

export const hasTokenPrices = (row: PriceRow): boolean => ratesOf(row).hasAny

const times = (rate: Rate, milli: number): Rate =>
  milli === 1_000 ? rate : { pico: Number((BigInt(rate.pico) * BigInt(milli) + 999n) / 1_000n), per: rate.per }

function timeLines(usage: Usage, row: PriceRow): Lines {
  const { audioTime, audioTimeEstimate, sessionTime, standbyTime } = row.prices
  const session = [
    ...line('sessionTime', inSteps(usage.sessionMs, row), sessionTime),
    ...line('standbyTime', inSteps(usage.standbyMs, row), standbyTime ?? sessionTime),
  ]
  const audio = audioMs(usage, row)
  const billed = audio.ms > 0 ? inSteps(ms(Math.max(audio.ms, row.billing.minimum)), row) : 0
  if (audioTime !== undefined)
    return { lines: [...line('audioTime', billed, audioTime), ...session], guessed: audio.guessed }
  const isPriced = audio.ms === 0 || sessionTime !== undefined || (hasTokenPrices(row) && hasTokens(usage))
  if (isPriced) return { lines: session, guessed: false }
  if (audioTimeEstimate !== undefined)
    return { lines: line('audioTimeEstimate', billed, audioTimeEstimate), guessed: true }
  const heard = Math.ceil((audio.ms * row.billing.audioTokensPerSecond.in) / 1_000)
  return { lines: hasTokenPrices(row) ? line('audioIn', heard, inputRate(row, 'audioIn')) : [], guessed: true }
}

/** Audio time to bill. A transcription that is sold by time but reports tokens is billed for the time they stand for. */
function audioMs(usage: Usage, row: PriceRow): { ms: Ms; guessed: boolean } {
  const heard = usage.in.audio + usage.unsplitIn
  const isTranscription = row.kind === 'transcription' || row.kind === 'transcription_stream'
  if (usage.audioMs > 0 || heard === 0 || !isTranscription || hasTokenPrices(row))
    return { ms: usage.audioMs, guessed: false }
  return { ms: ms(Math.ceil((heard * 1_000) / row.billing.audioTokensPerSecond.in)), guessed: true }
}

const hasTokens = (usage: Usage): boolean => tokensIn(usage) + tokensOut(usage) > 0

function inSteps(time: Ms, row: PriceRow): Ms {
  const { step } = row.billing
  return step === 0 ? time : ms(Math.ceil(time / step) * step)
}

function line(unit: CostLine['unit'], quantity: number, rate: Rate | undefined): CostLine[] {
  if (quantity <= 0 || rate === undefined) return []
  const per = BigInt(rate.per)
  return [{ unit, quantity, rate, pico: picoUsd((BigInt(quantity) * BigInt(rate.pico) + per - 1n) / per) }]
}

/** The same usage with nothing from the cache: what it would have been without one. */
export const uncached = (usage: Usage): Usage => ({ ...usage, cached: NO_TOKENS, cachedUnsplit: tokens(0) })
