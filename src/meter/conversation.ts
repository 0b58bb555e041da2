import { type Ms, ms, type Tokens, tokens } from '../units.ts'
import type { PriceRow } from './price-row.ts'
import { addTokens, lessTokens, mapTokens, NO_TOKENS, type TokenCount, type Usage } from './usage.ts'

/**
 * What the meter knows of a conversation between two usage events: what the next response will read. Between the events
 * it is an estimate; `answered` puts the provider's own numbers in its place.
 */
export interface Conversation {
  /** What an earlier response has read or written: instructions, tools, items. Cacheable where `warm` says so. */
  readonly history: TokenCount
  /** Items that no response has read yet. */
  readonly fresh: TokenCount
  /** Audio that was appended and is not an item yet. */
  readonly buffered: Ms
  /** The history is still the prefix that the provider has cached. */
  readonly warm: boolean
}

export const EMPTY: Conversation = { history: NO_TOKENS, fresh: NO_TOKENS, buffered: ms(0), warm: false }

/** The tokens a user's audio becomes, begun ones included: OpenAI counts one per 100 ms. */
export const heardTokens = (time: Ms, row: PriceRow): Tokens =>
  tokens(Math.ceil((time * row.billing.audioTokensPerSecond.in) / 1_000))
/** The tokens that the assistant's audio took, begun ones included: OpenAI counts one per 50 ms. */
export const spokenTokens = (time: Ms, row: PriceRow): Tokens =>
  tokens(Math.ceil((time * row.billing.audioTokensPerSecond.out) / 1_000))

/** Audio arrived in the input buffer. */
export const appended = (talk: Conversation, time: Ms): Conversation => ({
  ...talk,
  buffered: ms(talk.buffered + time),
})
/** The input buffer became an item: all of it, or `time` of it where turn detection left the silence out. */
export const committed = (talk: Conversation, row: PriceRow, time: Ms = talk.buffered): Conversation => ({
  ...talk,
  buffered: ms(0),
  fresh: addTokens(talk.fresh, { ...NO_TOKENS, audio: heardTokens(time, row) }),
})
/** The input buffer was thrown away. */
export const cleared = (talk: Conversation): Conversation => ({ ...talk, buffered: ms(0) })
/** An item was added: text, a tool's result, a picture. */
export const added = (talk: Conversation, item: TokenCount): Conversation => ({
  ...talk,
  fresh: addTokens(talk.fresh, item),
})
/** Something early changed or went away (an item, the instructions, the tools), so that the cache no longer matches. */
export const removed = (talk: Conversation, item: TokenCount): Conversation => ({
  ...talk,
  history: lessTokens(talk.history, item),
  warm: false,
})

/**
 * A response of this conversation is done, completed or cut off: the provider has said what it read and wrote, and all of
 * that is history now. `before` is the conversation as it was when the response began: what came since is still fresh.
 * Not for out-of-band responses, which leave no trace.
 */
export function answered(talk: Conversation, before: Conversation, usage: Usage): Conversation {
  // What the provider did not split counts as audio, the dearest: the estimate is rather too high than too low.
  const read = { ...usage.in, audio: tokens(usage.in.audio + usage.unsplitIn) }
  const wrote = { ...usage.out, audio: tokens(usage.out.audio + usage.unsplitOut) }
  return {
    history: addTokens(read, wrote),
    fresh: lessTokens(talk.fresh, before.fresh),
    buffered: talk.buffered,
    warm: true,
  }
}

/** What a response that started now would read. */
export interface NextInput {
  readonly read: TokenCount
  /** The part of `read` that earlier responses have read or written. */
  readonly resent: TokenCount
  /** The part of `resent` that the provider's cache may hold. */
  readonly cacheable: TokenCount
}

/** The next response's input within the model's window: what is too much falls off the front, and the cache with it. */
export function nextInput(talk: Conversation, row: PriceRow): NextInput {
  const fresh = addTokens(talk.fresh, { ...NO_TOKENS, audio: heardTokens(talk.buffered, row) })
  if (row.billing.contextOnce) return { read: fresh, resent: NO_TOKENS, cacheable: NO_TOKENS }
  const tooMuch = Math.max(0, total(talk.history) + total(fresh) - (inputWindow(row) ?? Number.MAX_SAFE_INTEGER))
  let over = tooMuch
  const cut = (n: number): number => {
    const taken = Math.min(n, over)
    over -= taken
    return n - taken
  }
  // Speech is the bulk of a conversation and the instructions, which are text, are what truncation spares.
  const audio = tokens(cut(talk.history.audio))
  const image = tokens(cut(talk.history.image))
  const resent = { audio, image, text: tokens(cut(talk.history.text)) }
  const cacheable = talk.warm && tooMuch === 0 ? resent : NO_TOKENS
  return { read: addTokens(resent, mapTokens(fresh, cut)), resent, cacheable }
}

/** The most tokens a response can read: what the context window leaves beside the answer. Null where not known. */
export const inputWindow = (row: PriceRow): Tokens | null =>
  row.inputLimit ?? (row.contextIn === null ? null : tokens(row.contextIn - (row.maxOut ?? 0)))

const total = (count: TokenCount): number => count.text + count.audio + count.image
