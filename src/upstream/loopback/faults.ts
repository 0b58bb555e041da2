/** What a connection is asked to get wrong. All on demand; none by default. */
export interface Faults {
  /** Every event is held back this long, ms. */
  delay?: number
  /** The line is cut without a close frame after so many events. */
  drop?: number
  /** Nothing is sent any more after so many events; the line stays up. */
  stall?: number
  /** Event number n is no JSON. */
  malformed?: number
  /** Event number n is this large: 4 MiB. */
  oversized?: number
  /** Every event comes twice from event number n on. */
  duplicate?: number
  /** `response.done` comes this much later, ms. */
  lateUsage?: number
  /** `response.done` has no usage. */
  missingUsage?: number
  /** The upgrade is refused with this HTTP status. */
  refuse?: number
  /** The upgrade succeeds and nothing follows. */
  silent?: number
  /** Responses fail with `rate_limit_exceeded`, or with `insufficient_quota`. */
  rateLimited?: number
  quota?: number
  /** The session expires after so many ms, as the live one does after 60 minutes. */
  expire?: number
  /** Of answers over HTTP: they stop half way without a word, or are not sure of themselves. */
  cut?: number
  unsure?: number
}

const NAMES: ReadonlySet<string> = new Set<keyof Faults>([
  'delay',
  'drop',
  'stall',
  'malformed',
  'oversized',
  'duplicate',
  'lateUsage',
  'missingUsage',
  'refuse',
  'silent',
  'rateLimited',
  'quota',
  'expire',
  'cut',
  'unsure',
])

/** Reads `drop:20,delay:50`; a name without a number means 1. Unknown names are passed over. */
export function parseFaults(text: string | null): Faults {
  const faults: Record<string, number> = {}
  for (const part of (text ?? '').split(',')) {
    const [name = '', argument = '1'] = part.trim().split(':')
    const value = Number(argument)
    if (NAMES.has(name) && Number.isFinite(value) && value >= 0) faults[name] = value
  }
  return faults
}
