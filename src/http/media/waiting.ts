import type { Context } from 'hono'
import { FaultError } from '../../faults.ts'
import { type Ms, ms } from '../../units.ts'

/** The longest that one request waits for an end (reference: queue API, waiting). */
const LONGEST_WAIT = ms(60_000)

/** `Prefer: wait=20` (RFC 7240): how long to wait for the end; 0 without it. Seconds, capped. */
export function preferredWait(c: Context): Ms {
  for (const preference of (c.req.header('prefer') ?? '').split(/[,;]/)) {
    const [, digits] = /^\s*wait\s*(?:=\s*"?(\d{1,9})"?)?\s*$/i.exec(preference) ?? []
    if (digits !== undefined) return ms(Math.min(Number(digits) * 1_000, LONGEST_WAIT))
    if (/^\s*wait\s*$/i.test(preference)) return LONGEST_WAIT
  }
  return ms(0)
}

const UNITS = { '': 1_000, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const LEAST_LIFE = 1_000
const LONGEST_LIFE = 7 * 86_400_000

/** `Cancel-After: 90s`: how long a job may take in all; null without it. A plain number is seconds. */
export function cancelAfter(c: Context): Ms | null {
  const header = c.req.header('cancel-after')
  if (header === undefined) return null
  const [, digits, unit] = /^\s*(\d{1,9})\s*(ms|s|m|h|d)?\s*$/i.exec(header) ?? []
  const length = Number(digits) * UNITS[(unit ?? '').toLowerCase() as keyof typeof UNITS]
  if (length >= LEAST_LIFE && length <= LONGEST_LIFE) return ms(length)
  throw new FaultError('invalid_request', 'Cancel-After takes a time from 1s to 7d, such as 90s.', {
    param: 'Cancel-After',
  })
}
