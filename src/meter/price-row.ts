import { z } from 'zod'
import { type Instant, instant, type Ms, seconds, type Tokens, tokens } from '../units.ts'
import { parseScaled } from './decimal.ts'

/** Tokens as a usage counts them. */
export const COUNTED_UNITS = [
  'textIn',
  'textCachedIn',
  'textOut',
  'audioIn',
  'audioCachedIn',
  'audioOut',
  'imageIn',
  'imageCachedIn',
  'imageOut',
] as const
/** The same, and tokens of which the provider has not said what they are. */
export const BILLED_TOKENS = [...COUNTED_UNITS, 'unsplitIn', 'unsplitOut'] as const
export type BilledToken = (typeof BILLED_TOKENS)[number]
/** What can have a price. Times are counted in milliseconds. */
export const TOKEN_UNITS = [...COUNTED_UNITS, 'cacheWriteIn'] as const
export const TIME_UNITS = ['audioTime', 'audioTimeEstimate', 'sessionTime', 'standbyTime'] as const
export type TokenUnit = (typeof TOKEN_UNITS)[number]
export type TimeUnit = (typeof TIME_UNITS)[number]
export type PricedUnit = TokenUnit | TimeUnit | 'textItem'

/** A price as a fraction of whole numbers: `pico` trillionths of a dollar for every `per` of the unit. Never a float. */
export interface Rate {
  readonly pico: number
  readonly per: number
}

/** One model's price in one stretch of time. */
export interface PriceRow {
  readonly id: string
  readonly provider: string
  readonly model: string
  readonly aliases: readonly string[]
  readonly kind: z.infer<typeof KIND>
  /** The provider's region or data zone; null where one price holds everywhere. */
  readonly region: string | null
  readonly prices: Readonly<Partial<Record<PricedUnit, Rate>>>
  /** First instant of the price; null where nothing earlier is known. */
  readonly validFrom: Instant | null
  /** First instant at which it no longer holds; null while no end is known. */
  readonly validTo: Instant | null
  readonly source: string
  readonly sourceDate: string | null
  readonly confidence: z.infer<typeof CONFIDENCE>
  /** Context window, and the part of it kept for the answer. */
  readonly contextIn: Tokens | null
  readonly maxOut: Tokens | null
  /** The most tokens a response may read, where the provider states it; else it is the window less the answer. */
  readonly inputLimit: Tokens | null
  /** The day on which the provider turns the model off. */
  readonly shutdown: Instant | null
  readonly billing: Billing
  /** Requests that read more than this many tokens are dearer as a whole; factors in thousandths. */
  readonly longContext: { readonly above: Tokens; readonly inMilli: number; readonly outMilli: number } | null
  readonly note: string | null
}

export interface Billing {
  /** The least audio time a request is billed for. */
  readonly minimum: Ms
  /** Time is billed in whole steps of this, begun ones included; 0 bills every millisecond. */
  readonly step: Ms
  /** Whether streamed silence costs; null where the provider does not say. */
  readonly silenceBilled: boolean | null
  /** Audio is billed for every channel. */
  readonly perChannel: boolean
  /** The context is billed once a session, not with every response again. */
  readonly contextOnce: boolean
  /** Audio tokens per second of speech, read and written; OpenAI's rates unless the row says otherwise. */
  readonly audioTokensPerSecond: { readonly in: number; readonly out: number }
  /** Credited seconds that opening a WebRTC session is billed for at once. */
  readonly webrtcCreation: Ms
  /** A session nobody closed runs, and is billed, for this long; null where there is no such rule. */
  readonly autoClose: Ms | null
}

const KIND = z.enum([
  'realtime',
  'live',
  'translation',
  'transcription',
  'transcription_stream',
  'audio_chat',
  'speech',
  'vision',
  'image_generation',
])
/** `docs`: the provider's own page. `third_party`: a file or note quoting it. `conflict`: sources disagree. `operator`: yours. */
const CONFIDENCE = z.enum(['docs', 'third_party', 'conflict', 'operator'])

/** A typing mistake, not a price: no model costs this much. The bounds keep every product a safe whole number. */
const DEAREST = { token: 1_000_000_000, minute: 10_000_000_000_000, item: 10_000_000_000_000 }

const DAY = /^\d{4}-\d{2}-\d{2}$/
const day = z
  .string()
  .refine((text) => DAY.test(text) && !Number.isNaN(Date.parse(text)), 'expected a day such as 2026-07-30 (UTC)')
  .transform((text): Instant => instant(Date.parse(text)))

/** Dollars per million tokens, whose sixth decimal is one picodollar per token: $0.4 is 400,000. */
const perMillion = decimal('dollars per million tokens such as "0.4", at most $1000', (text) => {
  const pico = parseScaled(text, 6)
  return pico === null || pico > BigInt(DEAREST.token) ? null : { pico: Number(pico), per: 1 }
})
const perItem = decimal('dollars per item such as "0.004", at most $10', (text) => {
  const pico = parseScaled(text, 12)
  return pico === null || pico > BigInt(DEAREST.item) ? null : { pico: Number(pico), per: 1 }
})
const PERIODS: Record<string, number> = { min: 60_000, h: 3_600_000 }
const perTime = decimal('dollars a minute or an hour such as "0.017/min" or "0.45/h", at most $10/min', (text) => {
  const [amount = '', period = '', ...more] = text.split('/')
  const per = PERIODS[period]
  const pico = parseScaled(amount, 12)
  if (pico === null || per === undefined || more.length > 0) return null
  return pico * 60_000n > BigInt(DEAREST.minute) * BigInt(per) ? null : { pico: Number(pico), per }
})
const factor = decimal('a factor of 1 to 10 such as "1.5"', (text) => {
  const milli = parseScaled(text, 3)
  return milli === null || milli < 1_000n || milli > 10_000n ? null : Number(milli)
})

function decimal<T>(expected: string, read: (text: string) => T | null) {
  return z.string(`expected ${expected}, in quotes`).transform((text, context): T => {
    const value = read(text)
    if (value !== null) return value
    context.addIssue({ code: 'custom', message: `expected ${expected}` })
    return z.NEVER
  })
}

const optionalOf = <U extends string, S extends z.ZodType>(units: readonly U[], price: S) =>
  Object.fromEntries(units.map((unit) => [unit, price.optional()])) as Record<U, z.ZodOptional<S>>

const count = z.int().positive().max(100_000_000)

/** One row as it stands in a file. Prices are decimals in quotes, because a bare number would pass through a float. */
export const RowFile = z.strictObject({
  id: z.string().min(1).max(200),
  provider: z.string().min(1),
  model: z.string().min(1),
  aliases: z.array(z.string().min(1)).default([]),
  kind: KIND,
  region: z.string().min(1).optional(),
  prices: z.strictObject({
    ...optionalOf(TOKEN_UNITS, perMillion),
    ...optionalOf(TIME_UNITS, perTime),
    textItem: perItem.optional(),
  }),
  validFrom: day.optional(),
  validTo: day.optional(),
  source: z.string().default('operator'),
  sourceDate: z.string().optional(),
  confidence: CONFIDENCE.default('operator'),
  contextIn: count.optional(),
  maxOut: count.optional(),
  inputLimit: count.optional(),
  shutdown: day.optional(),
  billing: z
    .strictObject({
      minimumSeconds: z.int().min(0).max(3_600).default(0),
      stepSeconds: z.int().min(0).max(3_600).default(0),
      silenceBilled: z.boolean().optional(),
      perChannel: z.boolean().default(false),
      contextOnce: z.boolean().default(false),
      audioTokensPerSecond: z.int().min(1).max(1_000).optional(),
      webrtcCreationSeconds: z.int().min(0).max(3_600).default(0),
      autoCloseSeconds: z.int().min(1).optional(),
    })
    .prefault({}),
  longContext: z.strictObject({ aboveInputTokens: count, in: factor, out: factor }).optional(),
  note: z.string().optional(),
})
export type RowFile = z.infer<typeof RowFile>

/** OpenAI's published rates: 1 token per 100 ms of a user's audio, 1 per 50 ms of the assistant's (pricing.md §1). */
const OPENAI_AUDIO_TOKENS = { in: 10, out: 20 }

export function toRow(file: RowFile): PriceRow {
  const { billing, longContext } = file
  const each = billing.audioTokensPerSecond
  return {
    id: file.id,
    provider: file.provider,
    model: file.model,
    aliases: file.aliases,
    kind: file.kind,
    region: file.region ?? null,
    prices: Object.fromEntries(Object.entries(file.prices).filter(([, rate]) => rate !== undefined)),
    validFrom: file.validFrom ?? null,
    validTo: file.validTo ?? null,
    source: file.source,
    sourceDate: file.sourceDate ?? null,
    confidence: file.confidence,
    contextIn: file.contextIn === undefined ? null : tokens(file.contextIn),
    maxOut: file.maxOut === undefined ? null : tokens(file.maxOut),
    inputLimit: file.inputLimit === undefined ? null : tokens(file.inputLimit),
    shutdown: file.shutdown ?? null,
    billing: {
      minimum: seconds(billing.minimumSeconds),
      step: seconds(billing.stepSeconds),
      silenceBilled: billing.silenceBilled ?? null,
      perChannel: billing.perChannel,
      contextOnce: billing.contextOnce,
      audioTokensPerSecond: each === undefined ? OPENAI_AUDIO_TOKENS : { in: each, out: each },
      webrtcCreation: seconds(billing.webrtcCreationSeconds),
      autoClose: billing.autoCloseSeconds === undefined ? null : seconds(billing.autoCloseSeconds),
    },
    longContext:
      longContext === undefined
        ? null
        : { above: tokens(longContext.aboveInputTokens), inMilli: longContext.in, outMilli: longContext.out },
    note: file.note ?? null,
  }
}
