import { NOTHING_HELD, plus } from '../limits/holding.ts'
import type { Holding } from '../limits/limits.ts'
import {
  added,
  answered,
  appended,
  type Conversation,
  cleared,
  committed,
  EMPTY,
  heardTokens,
  removed,
  spokenTokens,
} from '../meter/conversation.ts'
import { nextResponse, outputThatFits, soFar } from '../meter/estimate.ts'
import { cost } from '../meter/price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import { NO_TOKENS, NOTHING, type TokenCount, type Usage } from '../meter/usage.ts'
import { type Weights, weighted, weightsOf } from '../meter/weights.ts'
import { type Ms, ms, type NanoUsd, type Tokens, tokens } from '../units.ts'

/** Special tokens around an item, at the most; the live service was seen to use two to four. */
const ITEM_OVERHEAD = tokens(8)
/** Tokens of a picture, at the most: the provider publishes no rule for its realtime models. */
const IMAGE_AT_MOST = tokens(4_096)
/** Speech that the next response is expected to read even before anybody has spoken. */
const SPEECH_AHEAD = ms(15_000)

/** What a response may do differently from the session. */
export interface ResponseWish {
  /** Tokens it may write; null for the session's own limit. */
  readonly maxOutput: Tokens | null
  /** Bytes of what it reads beside the conversation, or instead of it. */
  readonly extraBytes: number
  /** It reads only what it was given, and leaves no trace. */
  readonly isApart: boolean
}

export const USUAL: ResponseWish = { maxOutput: null, extraBytes: 0, isApart: false }

interface Run {
  readonly before: Conversation
  readonly isApart: boolean
  /** Written so far: raw audio and bytes of text. */
  audio: Ms
  text: number
}

/**
 * What a session has bought and what its next response may cost (M1). Between two usage events it estimates, never too
 * low: a token of text is at least a byte, and nothing is taken to be cached; each usage event puts the truth in its place.
 */
export class SessionMeter {
  readonly row: PriceRow
  /** What input transcription is billed by; null where none is asked for. */
  transcriber: PriceRow | null = null
  readonly #weights: Weights
  readonly #transcribesOnly: boolean
  #talk: Conversation = EMPTY
  /** Bytes of instructions and tools, which every response reads. */
  #baseBytes = 0
  #maxOutput: Tokens | null = null
  /** The provider keeps only what it takes for speech; null while it takes everything. */
  #speechSince: 'silence' | 'speech' | null = null
  readonly #runs = new Map<string, Run>()

  constructor(row: PriceRow, transcribesOnly: boolean) {
    this.row = row
    this.#transcribesOnly = transcribesOnly
    this.#weights = weightsOf(row)
  }

  // ---- what happens ----

  /** Instructions, tools, output limit and turn detection as the provider holds them now. */
  sessionIs(base: { bytes: number; maxOutput: Tokens | null; detectsSpeech: boolean }): void {
    if (base.bytes !== this.#baseBytes) {
      const more = tokens(Math.max(0, base.bytes - this.#baseBytes))
      this.#talk = added(removed(this.#talk, NO_TOKENS), { ...NO_TOKENS, text: more })
      this.#baseBytes = base.bytes
    }
    this.#maxOutput = base.maxOutput
    if (!base.detectsSpeech) this.#speechSince = null
    else this.#speechSince ??= 'silence'
  }

  audioCame(length: Ms): void {
    if (this.#speechSince !== 'silence') this.#talk = appended(this.#talk, length)
  }

  /** The provider hears speech; `already`: how much of it has been sent before it said so. */
  speechBegan(already: Ms): void {
    this.#speechSince = 'speech'
    this.#talk = appended(cleared(this.#talk), already)
  }

  /** What was buffered is an item now; `length` of it where the provider has said how much. */
  bufferBecameItem(length: Ms | null): void {
    this.#talk = committed(this.#talk, this.row, length ?? this.#talk.buffered)
    if (this.#speechSince === 'speech') this.#speechSince = 'silence'
    this.itemAppeared()
  }

  bufferCleared(): void {
    this.#talk = cleared(this.#talk)
  }

  /** The caller added an item: bytes of its text, length of its audio, pictures in it. */
  itemCame(item: { bytes: number; audio: Ms; images: number }): void {
    const count: TokenCount = {
      text: tokens(item.bytes + ITEM_OVERHEAD),
      audio: heardTokens(item.audio, this.row),
      image: tokens(item.images * IMAGE_AT_MOST),
    }
    this.#talk = added(this.#talk, count)
  }

  /** Audio that waits in the provider's input buffer. */
  get buffered(): Ms {
    return this.#talk.buffered
  }

  /** An item of anybody's is in the conversation. */
  itemAppeared(): void {
    this.#talk = added(this.#talk, { ...NO_TOKENS, text: ITEM_OVERHEAD })
  }

  /** Something early went away: the cache no longer matches. */
  historyChanged(): void {
    this.#talk = removed(this.#talk, NO_TOKENS)
  }

  responseBegan(id: string, isApart: boolean): void {
    this.#runs.set(id, { before: this.#talk, isApart, audio: ms(0), text: 0 })
  }

  /** The newest response has written more. */
  written(audio: Ms, textBytes: number): void {
    let newest: Run | undefined
    for (const run of this.#runs.values()) newest = run
    if (newest === undefined) return
    newest.audio = ms(newest.audio + audio)
    newest.text += textBytes
  }

  /** A response is over. `usage`: as the provider counted it, or as it was estimated. */
  responseEnded(id: string, usage: Usage): void {
    const run = this.#runs.get(id)
    if (run === undefined) return
    this.#runs.delete(id)
    if (!run.isApart) this.#talk = answered(this.#talk, run.before, usage)
  }

  // ---- what it costs ----

  /** What a response that is under way has used as far as anybody can tell; for when its usage never comes. */
  usageSoFar(id: string): Usage {
    const run = this.#runs.get(id)
    if (run === undefined) return { ...NOTHING, estimated: true }
    const said = { ...NO_TOKENS, audio: spokenTokens(run.audio, this.row), text: tokens(Math.ceil(run.text / 4)) }
    return soFar(run.before, this.row, run.before.warm ? 'all' : 'none', said).usage
  }

  /** What a response that has just begun uses if it writes as much as it may: for when nothing more is heard of it. */
  usageAtMost(id: string): Usage {
    const { usage } = nextResponse(
      this.#runs.get(id)?.before ?? this.#talk,
      this.row,
      this.#expect(this.#maxOutput),
    ).most
    return { ...usage, estimated: true }
  }

  /** The most that a response may cost, and the most with an answer of `smallest` tokens. */
  need(wish: ResponseWish, smallest: Tokens): { most: Holding; least: Holding } {
    const limit = lowest(wish.maxOutput, this.#maxOutput)
    return { most: this.#atMost(wish, limit), least: this.#atMost(wish, lowest(limit, smallest)) }
  }

  /** What may begin without being asked for: a response to what is being said, and the transcription of it. */
  next(): Holding {
    const ahead = ms(Math.max(0, SPEECH_AHEAD - this.#talk.buffered))
    const transcription = this.transcription(ms(this.#talk.buffered + ahead))
    if (this.#transcribesOnly) return transcription
    const response = this.#priced(
      nextResponse(appended(this.#talk, ahead), this.row, this.#expect(this.#maxOutput)).most,
    )
    return plus(response, transcription)
  }

  /** The most that writing down so much speech may cost. */
  transcription(length: Ms): Holding {
    const row = this.transcriber
    if (row === null) return NOTHING_HELD
    const audio = heardTokens(length, row)
    // A written word is shorter than the sound of it: no more tokens come out than went in.
    const usage: Usage = {
      ...NOTHING,
      audioMs: length,
      in: { ...NO_TOKENS, audio },
      out: { ...NO_TOKENS, text: audio },
    }
    return { money: cost(usage, row).nano, tokens: weighted(usage, weightsOf(row)) }
  }

  /** The longest answer that `held` pays for; null where that is as long as it may be anyway. */
  clamp(wish: ResponseWish, held: Holding): Tokens | null {
    const limit = lowest(wish.maxOutput, this.#maxOutput)
    const { talk } = this.#reading(wish)
    const byMoney = outputThatFits(talk, this.row, 'none', held.money)
    const read = weighted(nextResponse(talk, this.row, this.#expect(tokens(0))).least.usage, this.#weights)
    const byTokens = Math.floor(((held.tokens - read) * 1_000) / this.#weights.unsplitOut)
    const fits = tokens(Math.max(1, Math.min(byMoney, byTokens)))
    const most = limit ?? this.row.maxOut
    return most !== null && fits >= most ? null : fits
  }

  weightOf(usage: Usage): Tokens {
    return weighted(usage, this.#weights)
  }

  // ---- inside ----

  #atMost(wish: ResponseWish, maxOutput: Tokens | null): Holding {
    return this.#priced(nextResponse(this.#reading(wish).talk, this.row, this.#expect(maxOutput)).most)
  }

  #reading(wish: ResponseWish): { talk: Conversation } {
    const talk = wish.isApart ? EMPTY : this.#talk
    return { talk: added(talk, { ...NO_TOKENS, text: tokens(wish.extraBytes + (wish.isApart ? this.#baseBytes : 0)) }) }
  }

  #expect(maxOutput: Tokens | null) {
    return { cached: 'none' as const, maxOutput }
  }

  #priced({ usage, cost }: { usage: Usage; cost: { nano: NanoUsd } }): Holding {
    return { money: cost.nano, tokens: weighted(usage, this.#weights) }
  }
}

function lowest(a: Tokens | null, b: Tokens | null): Tokens | null {
  if (a === null) return b
  return b === null ? a : tokens(Math.min(a, b))
}
