/** Tokens of one item or one response, by modality. */
export interface TokenCount {
  text: number
  audio: number
  image: number
}

/** `usage` of a `response.done`, as the live service writes it. */
export interface ResponseUsage {
  total_tokens: number
  input_tokens: number
  output_tokens: number
  input_token_details: {
    text_tokens: number
    audio_tokens: number
    image_tokens: number
    cached_tokens: number
    cached_tokens_details: { text_tokens: number; audio_tokens: number; image_tokens: number }
  }
  output_token_details: { text_tokens: number; audio_tokens: number }
}

export const NONE: TokenCount = { text: 0, audio: 0, image: 0 }

/** Caches hold prefixes in steps of this many tokens, as the provider's do. */
const CACHE_STEP = 64
/** Special tokens around every item. */
const ITEM_OVERHEAD = 3
/** Tokens of an image: the live figure is not published, so loopback takes one. */
export const IMAGE_TOKENS = 765

/** About four characters of text a token; the special tokens around it are counted by `itemTokens`. */
export function textTokens(text: string): number {
  return Math.ceil(text.length / 4)
}

/** User audio: 1 token per 100 ms (the provider's published rate). */
export function inputAudioTokens(ms: number): number {
  return Math.ceil(ms / 100)
}

/** Assistant audio: 1 token per 50 ms (the provider's published rate). */
export function outputAudioTokens(ms: number): number {
  return Math.ceil(ms / 50)
}

/** What writing down a turn costs: tokens for the models that are billed by them, else its length. */
export function transcriptionUsage(model: string, lengthMs: number, transcript: string): Record<string, unknown> {
  if (!model.includes('4o')) return { type: 'duration', seconds: Math.round(lengthMs) / 1_000 }
  const input_tokens = inputAudioTokens(lengthMs)
  const output_tokens = textTokens(transcript)
  const input_token_details = { text_tokens: 0, audio_tokens: input_tokens }
  return {
    type: 'tokens',
    total_tokens: input_tokens + output_tokens,
    input_tokens,
    output_tokens,
    input_token_details,
  }
}

export function itemTokens(tokens: TokenCount): TokenCount {
  return { ...tokens, text: tokens.text + ITEM_OVERHEAD }
}

export function add(a: TokenCount, b: TokenCount): TokenCount {
  return { text: a.text + b.text, audio: a.audio + b.audio, image: a.image + b.image }
}

/** One part of what a response reads: the instructions, a tool list, or an item, with the tokens it costs. */
export interface ContextPart {
  /** Changes whenever what the model reads there changes. */
  fingerprint: string
  tokens: TokenCount
}

/**
 * What a response costs: the whole context is read again, and of it the longest prefix that is unchanged since the last
 * response comes from the cache, rounded down to the cache's step, text first where a step ends inside a part.
 */
export function responseUsage(
  context: readonly ContextPart[],
  previous: readonly ContextPart[],
  output: TokenCount,
): ResponseUsage {
  const input = context.reduce((sum, part) => add(sum, part.tokens), NONE)
  let same = 0
  while (same < context.length && context[same]?.fingerprint === previous[same]?.fingerprint) same++
  const prefix = context.slice(0, same).reduce((sum, part) => add(sum, part.tokens), NONE)
  const cached = roundDown(prefix)
  const inputTokens = input.text + input.audio + input.image
  const outputTokens = output.text + output.audio
  return {
    total_tokens: inputTokens + outputTokens,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    input_token_details: {
      text_tokens: input.text,
      audio_tokens: input.audio,
      image_tokens: input.image,
      cached_tokens: cached.text + cached.audio + cached.image,
      cached_tokens_details: { text_tokens: cached.text, audio_tokens: cached.audio, image_tokens: cached.image },
    },
    output_token_details: { text_tokens: output.text, audio_tokens: output.audio },
  }
}

function roundDown(prefix: TokenCount): TokenCount {
  let left = Math.floor((prefix.text + prefix.audio + prefix.image) / CACHE_STEP) * CACHE_STEP
  const take = (most: number) => {
    const taken = Math.min(most, left)
    left -= taken
    return taken
  }
  return { text: take(prefix.text), audio: take(prefix.audio), image: take(prefix.image) }
}
