import { type Ms, ms, tokens } from '../units.ts'
import { addTokens, mapTokens, NO_TOKENS, NOTHING, sumTokens, type TokenCount, type Usage } from './usage.ts'

/** More tokens than one response can have, and more time than one session can last; what claims more is cut off here. */
export const MOST_TOKENS = 100_000_000
export const MOST_MS = 1_000_000_000

const WHOLE = /^\d{1,15}$/
const DECIMAL = /^\d{1,9}(\.\d{1,9})?$/

type Loose = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Reads numbers somebody else wrote. It never throws: what is absent counts 0, what makes no sense counts 0 or the most there
 * can be, and `suspect` remembers that something did not.
 */
class Numbers {
  suspect = false

  /** A whole number of 0 to `MOST_TOKENS`; a fraction counts as the next whole one. */
  whole(value: unknown): number {
    if (typeof value === 'string' && WHOLE.test(value)) return this.whole(Number(value))
    return this.#bounded(value, MOST_TOKENS, (n) => Math.ceil(n))
  }

  /** Seconds, with a fraction or without, as whole milliseconds rounded up. */
  seconds(value: unknown): Ms {
    if (typeof value === 'string' && DECIMAL.test(value)) return this.seconds(Number(value))
    // 1.1 × 1000 is 1100.0000000000002 in binary: a millionth of a millisecond is noise, not time.
    return ms(this.#bounded(value, MOST_MS, (n) => Math.ceil(Math.round(Math.min(n, MOST_MS) * 1e9) / 1e6)))
  }

  counts(raw: unknown): TokenCount {
    if (!isObject(raw)) return NO_TOKENS
    return {
      text: tokens(this.whole(raw.text_tokens)),
      audio: tokens(this.whole(raw.audio_tokens)),
      image: tokens(this.whole(raw.image_tokens)),
    }
  }

  #bounded(value: unknown, most: number, round: (n: number) => number): number {
    if (value === undefined || value === null) return 0
    if (typeof value !== 'number' || !(value >= 0)) {
      this.suspect = true
      return 0
    }
    const rounded = round(value)
    if (rounded > most) this.suspect = true
    return Math.min(most, rounded)
  }
}

/** The first of these fields that holds an object: providers spell the details keys in two ways. */
function details(raw: Loose, ...keys: readonly string[]): Loose | null {
  for (const key of keys) if (isObject(raw[key])) return raw[key]
  return null
}

/**
 * Reads `response.usage` of a `response.done`, whatever the response's status. Null when the provider sent no usage at all
 * (a failed response may), which is not the same as zeros. Never counts less than any of the totals in it says.
 */
export function readResponseUsage(raw: unknown): Usage | null {
  if (!isObject(raw)) return null
  const numbers = new Numbers()
  const read = readInput(raw, numbers)

  const split = details(raw, 'output_token_details', 'output_tokens_details')
  const out = numbers.counts(split)
  const said = numbers.whole(raw.output_tokens)
  const missing = Math.max(0, said - sumTokens(out))
  // Reasoning is written as text (pricing.md §1); some models report it beside the text tokens, not in them.
  const reasoning = Math.min(missing, numbers.whole(split?.reasoning_tokens))
  // A total above what its parts say is charged as output, the dearer side.
  const total = numbers.whole(raw.total_tokens)
  const unexplained = Math.max(0, total - sumTokens(read.in) - read.unsplitIn - sumTokens(out) - missing)
  const unsplitOut = missing - reasoning + unexplained
  return {
    ...NOTHING,
    ...read,
    out: { ...out, text: tokens(out.text + reasoning) },
    unsplitOut: tokens(unsplitOut),
    estimated: read.estimated || unsplitOut > 0 || numbers.suspect,
  }
}

/**
 * Reads `usage` of an input transcription, in tokens or by duration. What a transcription writes is text, so its output
 * needs no details. Null when the provider sent no usage at all.
 */
export function readTranscriptionUsage(raw: unknown): Usage | null {
  if (!isObject(raw)) return null
  const numbers = new Numbers()
  const audioMs = numbers.seconds(raw.seconds)
  const read = readInput(raw, numbers)
  const text = numbers.whole(raw.output_tokens)
  return {
    ...NOTHING,
    ...read,
    out: { ...NO_TOKENS, text: tokens(text) },
    audioMs,
    estimated: read.estimated || numbers.suspect,
  }
}

/**
 * Reads `usage` of a chat completion (`prompt_tokens`, …) or of a response over HTTP (`input_tokens`, …). What they do not
 * split by modality is text: pictures are sold at the price of text there. Null when the provider sent no usage at all.
 */
export function readChatUsage(raw: unknown): Usage | null {
  if (!isObject(raw)) return null
  const numbers = new Numbers()
  const inside = details(raw, 'prompt_tokens_details', 'input_tokens_details', 'input_token_details')
  const outside = details(raw, 'completion_tokens_details', 'output_tokens_details', 'output_token_details')
  const said = (...values: unknown[]) => Math.max(...values.map((value) => numbers.whole(value)))
  const read = said(raw.prompt_tokens, raw.input_tokens)
  const written = said(raw.completion_tokens, raw.output_tokens)
  const audioIn = Math.min(read, numbers.whole(inside?.audio_tokens))
  const audioOut = Math.min(written, numbers.whole(outside?.audio_tokens))
  // A total above what its parts say is charged as output, the dearer side.
  const unexplained = Math.max(0, numbers.whole(raw.total_tokens) - read - written)
  const textIn = read - audioIn
  const claimed = numbers.whole(inside?.cached_tokens)
  const cached = Math.min(textIn, claimed)
  if (claimed > read) numbers.suspect = true
  return {
    ...NOTHING,
    in: { ...NO_TOKENS, text: tokens(textIn), audio: tokens(audioIn) },
    cached: { ...NO_TOKENS, text: tokens(cached) },
    out: { ...NO_TOKENS, text: tokens(written - audioOut), audio: tokens(audioOut) },
    unsplitOut: tokens(unexplained),
    estimated: unexplained > 0 || numbers.suspect,
  }
}

/** Reads the `usage` of a session billed by its open time: `{seconds}`, cumulative, so that it replaces what came before. */
export function readSessionUsage(raw: unknown): Usage | null {
  if (!isObject(raw)) return null
  const numbers = new Numbers()
  const sessionMs = numbers.seconds(raw.seconds)
  return { ...NOTHING, sessionMs, estimated: numbers.suspect }
}

type Input = Pick<Usage, 'in' | 'cached' | 'cachedUnsplit' | 'unsplitIn' | 'estimated'>

function readInput(raw: Loose, numbers: Numbers): Input {
  const split = details(raw, 'input_token_details', 'input_tokens_details')
  const read = numbers.counts(split)
  const said = numbers.whole(raw.input_tokens)
  const unsplitIn = Math.max(0, said - sumTokens(read))

  const claimed = numbers.counts(split && details(split, 'cached_tokens_details', 'cached_token_details'))
  const cached = mapTokens(claimed, (n, modality) => Math.min(n, read[modality]))
  if (sumTokens(claimed) > sumTokens(cached)) numbers.suspect = true
  const rest = Math.max(0, numbers.whole(split?.cached_tokens) - sumTokens(claimed))
  const known = unsplitIn === 0 ? onlyModality(read, rest) : null
  return {
    in: read,
    cached: known === null ? cached : minTokens(addTokens(cached, known), read),
    cachedUnsplit: tokens(known === null ? Math.min(rest, sumTokens(read) + unsplitIn - sumTokens(cached)) : 0),
    unsplitIn: tokens(unsplitIn),
    estimated: unsplitIn > 0 || numbers.suspect,
  }
}

const minTokens = (a: TokenCount, b: TokenCount): TokenCount => mapTokens(a, (n, m) => Math.min(n, b[m]))

/** `n` tokens as those of the one modality that was read; null when several were, or none. */
function onlyModality(read: TokenCount, n: number): TokenCount | null {
  const present = (['text', 'audio', 'image'] as const).filter((modality) => read[modality] > 0)
  const [only] = present
  return present.length === 1 && only !== undefined ? { ...NO_TOKENS, [only]: tokens(n) } : null
}
