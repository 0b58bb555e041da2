import { z } from 'zod'
import { parseScaled } from '../meter/decimal.ts'
import { bytes, type Ms, ms, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts'

/** `45s`, `1h`, `250ms`, or a bare number of milliseconds. */
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/
const DURATION_UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
/** `256KiB`, `1MiB`, or a bare number of bytes. */
const SIZE = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)$/
const SIZE_UNITS: Record<string, number> = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 }
/** `$20`, `$0.50`: always with the sign, so that nobody takes it for cents, and a string, so that no float is involved. */
const MONEY = /^\$\d{1,7}(\.\d{1,9})?$/
/** Keeps the sum of any two amounts within 2^53 nano-dollars. */
const MOST_DOLLARS = 4_000_000n

export const duration = z
  .union([z.string().regex(DURATION, 'expected a duration such as 45s, 30m or 1h'), z.number().int().min(0)])
  .transform((value): Ms => ms(quantity(value, DURATION, DURATION_UNITS)))
  .meta({ description: 'A duration: 250ms, 45s, 30m, 1h, or milliseconds' })

export const size = z
  .union([z.string().regex(SIZE, 'expected a size such as 256KiB or 1MiB'), z.number().int().min(1)])
  .transform((value) => bytes(quantity(value, SIZE, SIZE_UNITS)))
  .meta({ description: 'A size: 512B, 256KiB, 1MiB, or bytes' })

const EXPECTED_MONEY = 'expected an amount such as $20 or $0.50, at most $4000000'
export const money = z
  .string(EXPECTED_MONEY)
  .regex(MONEY, EXPECTED_MONEY)
  .transform((text, context): NanoUsd => {
    const nano = parseScaled(text.slice(1), 9)
    if (nano !== null && nano <= MOST_DOLLARS * 1_000_000_000n) return nanoUsd(Number(nano))
    context.addIssue({ code: 'custom', message: EXPECTED_MONEY })
    return z.NEVER
  })
  .meta({ description: 'US dollars: $20, $0.50' })

export const tokenCount = z
  .int()
  .min(1)
  .max(1_000_000_000_000)
  .transform((n): Tokens => tokens(n))
  .meta({ description: 'Tokens, weighted: one is worth as much as a token of text that is read' })

export const count = z.int().min(0).max(1_000_000_000)

function quantity(value: string | number, form: RegExp, units: Record<string, number>): number {
  if (typeof value === 'number') return value
  const [, n, unit] = form.exec(value) ?? []
  return Math.round(Number(n) * (units[unit ?? ''] ?? 1))
}
