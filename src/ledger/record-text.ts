import { z } from 'zod'
import type { LedgerRecord, RecordKind } from '../meter/record.ts'
import type { Saving } from '../meter/savings.ts'
import { type Instant, instant, type Ms, type NanoUsd, type Tokens } from '../units.ts'

/** Whole and safe; negative in corrections. */
const whole = z.int()
const tokens = whole.transform((n) => n as Tokens)
const ms = whole.transform((n) => n as Ms)
const nano = whole.transform((n) => n as NanoUsd)
const count = z.object({ text: tokens, audio: tokens, image: tokens })
/** Postgres takes neither NUL nor half a surrogate pair, and what one store refuses no store may keep. */
const text = z.string().max(1_000).transform(clean)

/** Written as objects so that a kind added to the meter does not compile until it is known here too. */
const RECORD_KINDS = Object.keys({
  response: true,
  transcription: true,
  stage: true,
  session: true,
} satisfies Record<RecordKind, true>) as RecordKind[]
export const SAVING_KINDS = Object.keys({
  silence_not_sent: true,
  idle_cut: true,
  cached_input: true,
  silence_removed: true,
  pixels_removed: true,
  answer_kept: true,
  billing_minimum: true,
} satisfies Record<Saving['kind'], true>) as Saving['kind'][]
const COUNTERFACTUALS = Object.keys({
  silence_billed_by_the_minute: true,
  silence_committed_as_audio: true,
  session_left_open: true,
  context_read_uncached: true,
  sent_untouched: true,
  asked_again: true,
  not_billed: true,
} satisfies Record<Saving['counterfactual'], true>) as Saving['counterfactual'][]

const saving = z.object({
  kind: z.enum(SAVING_KINDS),
  quantity: whole,
  unit: z.enum(['ms', 'tokens', 'answers']),
  paid: nano,
  otherwise: nano,
  saved: nano,
  counterfactual: z.enum(COUNTERFACTUALS),
  creditedTo: z.enum(['parley', 'provider']),
  rowId: text,
})

/** Savings of one kind added up, which several rows of the price sheet may have had a part in. */
export const SavingSumFile = saving.omit({ rowId: true })

const RecordFile = z.object({
  id: text.refine((id) => id !== '', 'must not be empty'),
  kind: z.enum(RECORD_KINDS),
  basis: z.enum(['usage', 'estimate', 'correction']),
  // Clocks have fractions of a millisecond; the ledger has not. The bound keeps it a date.
  at: z
    .number()
    .min(0)
    .max(8_640_000_000_000_000)
    .transform((at): Instant => instant(Math.floor(at))),
  tenant: text,
  // An empty name is no name.
  user: text.nullable().transform((user) => (user === '' ? null : user)),
  keyId: text,
  session: text,
  model: text,
  provider: text,
  providerModel: text,
  providerId: text,
  status: z.enum(['completed', 'cancelled', 'failed', 'incomplete', 'unknown']),
  usage: z.object({
    in: count,
    cached: count,
    cachedUnsplit: tokens,
    unsplitIn: tokens,
    out: count,
    unsplitOut: tokens,
    audioMs: ms,
    sessionMs: ms,
    standbyMs: ms,
    textItems: whole,
    estimated: z.boolean(),
  }),
  cost: nano,
  priceRow: text,
  estimated: z.boolean(),
  weighted: tokens,
  savings: z.array(saving).max(32),
})

/** Reads a journal entry. Null when it is no record: then nothing in it can be trusted to be money. */
export function readRecord(json: string): LedgerRecord | null {
  try {
    return tidy(JSON.parse(json))
  } catch {
    return null
  }
}

/** The record as any store keeps it. Throws ZodError for what is no record. */
export function tidy(record: unknown): LedgerRecord {
  return RecordFile.parse(record)
}

function clean(value: string): string {
  return value.replaceAll('\0', '\ufffd').toWellFormed()
}
