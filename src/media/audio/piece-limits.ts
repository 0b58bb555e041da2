import { type Ms, ms } from '../../units.ts'
import type { PieceLimits } from '../prepared-audio.ts'

/** Who is asked: the provider's type in the configuration, the host it is reached at, and its own name of the model. */
export interface Listener {
  readonly type: string
  /** Null where the type says it all. */
  readonly host: string | null
  readonly model: string
}

interface Rule {
  readonly type?: RegExp
  readonly host?: RegExp
  readonly model?: RegExp
  readonly seconds: number
  readonly bytes: number
  readonly billedAtLeastSeconds: number
  readonly formats: readonly ('flac' | 'opus')[]
  /** Where the numbers come from. */
  readonly source: string
  readonly asOf: string
}

/** OpenAI takes 25 MB; a megabyte is left for the form around the file. */
const UPLOAD = 24_000_000
const BOTH = ['flac', 'opus'] as const

/** Read from top to bottom; the first that fits counts. */
const RULES: readonly Rule[] = [
  {
    host: /(^|\.)groq\.com$/,
    // No limit of length is told: as long as FLAC surely stays within the upload.
    seconds: 720,
    bytes: UPLOAD,
    billedAtLeastSeconds: 10,
    formats: BOTH,
    source: 'console.groq.com/docs/speech-to-text: 25 MB on the free tier, each request billed as 10 s at least',
    asOf: '2026-11-23',
  },
  {
    model: /^gpt-4o(-mini)?-transcribe/,
    // 1,400 s are taken, but answers break off at 2,000 tokens, which dense speech reaches in eight to nine minutes.
    seconds: 480,
    bytes: UPLOAD,
    billedAtLeastSeconds: 0,
    formats: BOTH,
    source:
      'platform.openai.com/docs/guides/speech-to-text: 25 MB; issue reports 2025-12 to 2026-08: 1,400 s, 2,000 tokens',
    asOf: '2026-11-23',
  },
  {
    model: /^whisper/,
    seconds: 720,
    bytes: UPLOAD,
    billedAtLeastSeconds: 0,
    formats: BOTH,
    source: 'platform.openai.com/docs/guides/speech-to-text: 25 MB, no limit of length',
    asOf: '2026-11-23',
  },
  {
    // Of gpt-transcribe no limit of length or output is known, and of others nothing: what is safe for every model.
    seconds: 480,
    bytes: UPLOAD,
    billedAtLeastSeconds: 0,
    formats: BOTH,
    source: 'the strictest of the above',
    asOf: '2026-11-23',
  },
]

export interface ListenerLimits extends PieceLimits {
  /** Upload formats it takes, of those that are made here. */
  readonly formats: readonly ('flac' | 'opus')[]
}

/** What the pieces of a recording may be for whoever will hear them. `longest`: the caller's own wish, which only shortens. */
export function pieceLimits(listener: Listener, longest?: Ms): ListenerLimits {
  const fits = (pattern: RegExp | undefined, value: string | null) => pattern === undefined || pattern.test(value ?? '')
  const rule = RULES.find(
    ({ type, host, model }) => fits(type, listener.type) && fits(host, listener.host) && fits(model, listener.model),
  ) as Rule
  const duration = ms(Math.min(rule.seconds * 1_000, longest ?? Number.POSITIVE_INFINITY))
  const billedAtLeast = ms(Math.min(rule.billedAtLeastSeconds * 1_000, duration))
  return { duration, bytes: rule.bytes, billedAtLeast, formats: rule.formats }
}
