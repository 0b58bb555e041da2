import type { Need } from '../../limits/gate-state.ts'
import { greater, NOTHING_HELD, plus } from '../../limits/holding.ts'
import type { Holding } from '../../limits/limits.ts'
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
} from '../../meter/conversation.ts'
import { outputThatFits, usageAtMost, usageSoFar } from '../../meter/estimate.ts'
import { cost } from '../../meter/price.ts'
import type { PriceRow } from '../../meter/price-row.ts'
import { NO_TOKENS, NOTHING, type TokenCount, type Usage } from '../../meter/usage.ts'
import { type Weights, weighted, weightsOf } from '../../meter/weights.ts'
import { type Instant, type Ms, ms, seconds, type Tokens, tokens } from '../../units.ts'
import { Pace } from '../lines/pace.ts'

/** Special tokens around an item, at the most; the live service was seen to use two to four. */
const ITEM_OVERHEAD = tokens(8)
/** Tokens of a picture, at the most: the provider publishes no rule for its realtime models. */
const IMAGE_AT_MOST = tokens(4_096)
/** Speech that the next response is expected to read even before anybody has spoken. */
const SPEECH_AHEAD = seconds(15)
/** So much more audio than was reckoned with may be on its way to the provider before the need is looked at again. */
export const LOOK_AGAIN = seconds(5)
/** A turn is billed as up to so much longer than the provider says it is: tokens and steps are rounded up. */
const ROUNDING = ms(100)
/** Commits and clearings that have not been answered; a caller with more on their way is reckoned with as if it had none. */
const MOST_MARKS = 64

/** What a response may do differently from the session. */
export interface ResponseWish {
  /** Tokens it may write; null for the session's own limit. */
  readonly maxOutput: Tokens | null
  /** Bytes of what it reads beside the conversation, or instead of it. */
  readonly extraBytes: number
  /** It reads only what it was given, and leaves no trace. */
  readonly isApart: boolean
}

/** The session as the provider holds it now, as far as it costs. */
export interface SessionBase {
  /** Instructions and tools, which every response reads. */
  readonly bytes: number
  readonly maxOutput: Tokens | null
  readonly detectsSpeech: boolean
  /** Silence after which the provider takes a turn of nothing else. */
  readonly silence: Ms
  /** What whoever writes down reads beside the speech, bytes. */
  readonly prompt: number
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
  #transcriber: PriceRow | null = null
  /** Those that the caller has asked for and the provider has not answered. */
  #asked: readonly PriceRow[] = []
  readonly #weights: Weights
  readonly #transcribesOnly: boolean
  /** The conversation without the audio that came since it was last looked at, which comes in many small pieces. */
  #settled: Conversation = EMPTY
  #appended = ms(0)
  /** Bytes of instructions and tools, which every response reads. */
  #baseBytes = 0
  #maxOutput: Tokens | null = null
  #silence = ms(0)
  #prompt = 0
  /** The provider keeps only what it takes for speech; null while it takes everything. */
  #speechSince: 'silence' | 'speech' | null = null
  /** Audio sent faster than it is spoken: the provider may be silent about so much of it. */
  readonly #haste = new Pace(1_000, 0)
  #unheard = ms(0)
  /** All audio since the last item was made of some. */
  #sinceItem = ms(0)
  /** How much was buffered at each commit and clearing that the provider has not answered, oldest first. */
  #marks: Ms[] = []
  readonly #runs = new Map<string, Run>()

  constructor(row: PriceRow, transcribesOnly: boolean) {
    this.row = row
    this.#transcribesOnly = transcribesOnly
    this.#weights = weightsOf(row)
  }

  get #talk(): Conversation {
    if (this.#appended > 0) this.#talk = appended(this.#settled, this.#appended)
    return this.#settled
  }

  set #talk(talk: Conversation) {
    this.#settled = talk
    this.#appended = ms(0)
  }

  // ---- what happens ----

  sessionIs(base: SessionBase): void {
    if (base.bytes !== this.#baseBytes) {
      const more = tokens(Math.max(0, base.bytes - this.#baseBytes))
      this.#talk = added(removed(this.#talk, NO_TOKENS), { ...NO_TOKENS, text: more })
      this.#baseBytes = base.bytes
    }
    this.#maxOutput = base.maxOutput
    this.#silence = base.silence
    this.#prompt = base.prompt
    if (!base.detectsSpeech) {
      this.#speechSince = null
      return
    }
    this.#speechSince ??= 'silence'
    this.#marks = []
  }

  /** What input transcription is billed by; null where there is none. */
  get transcriber(): PriceRow | null {
    return this.#transcriber
  }

  /** The provider says who writes down. */
  transcriberIs(row: PriceRow | null): void {
    this.#transcriber = row
  }

  /** The caller wants one of them, and the provider has not answered: what is said from now on may be its work. */
  transcribersAsked(rows: readonly PriceRow[]): void {
    this.#asked = rows
  }

  /** Audio is on its way to the provider. */
  audioCame(length: Ms, now: Instant): void {
    this.#unheard = this.#haste.take(length, now)
    this.#sinceItem = ms(this.#sinceItem + length)
    if (this.#speechSince !== 'silence') this.#appended = ms(this.#appended + length)
  }

  /** The provider hears speech; `already`: how much of it has been sent before it said so. */
  speechBegan(already: Ms): void {
    this.#speechSince = 'speech'
    this.#talk = appended(cleared(this.#talk), already)
  }

  /** The caller's own commit, or clearing, of the buffer is on its way. */
  bufferMarked(): void {
    if (this.#speechSince === null && this.#marks.length < MOST_MARKS) this.#marks.push(this.#talk.buffered)
  }

  /** What was buffered is an item now. `said`: how long it is, where the provider has told. Returns its length. */
  bufferBecameItem(said: Ms | null): Ms {
    const { buffered } = this.#talk
    const upTo = this.#nextMark()
    // Who keeps only speech and has not said what it took for it may have taken everything.
    const length = said ?? (this.#speechSince === 'silence' ? this.#sinceItem : upTo)
    this.#sinceItem = ms(0)
    this.#talk = appended(committed(this.#talk, this.row, length), ms(buffered - upTo))
    if (this.#speechSince === 'speech') this.#speechSince = 'silence'
    this.itemAppeared()
    return length
  }

  bufferCleared(): void {
    const { buffered } = this.#talk
    const upTo = this.#nextMark()
    this.#sinceItem = ms(0)
    this.#talk = appended(cleared(this.#talk), ms(buffered - upTo))
  }

  /** The provider has refused to commit. */
  commitRefused(): void {
    this.#marks.shift()
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

  /** Audio that the provider has, or is about to have, and may still take turns out of. */
  get untaken(): Ms {
    const buffered = ms(this.#settled.buffered + this.#appended)
    return this.#speechSince === null ? buffered : ms(Math.max(buffered, this.#unheard, this.#silence))
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
    const newest = [...this.#runs.values()].at(-1)
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

  /** What a response that is under way has used as far as anybody can tell; for when it ends without a usage. */
  usageSoFar(id: string): Usage {
    const run = this.#runs.get(id)
    if (run === undefined) return { ...NOTHING, estimated: true }
    const said = { ...NO_TOKENS, audio: spokenTokens(run.audio, this.row), text: tokens(Math.ceil(run.text / 4)) }
    return usageSoFar(run.before, this.row, run.before.warm ? 'all' : 'none', said)
  }

  /** What a response that has just begun uses if it writes as much as it may: for when nothing more is heard of it. */
  usageAtMost(id: string): Usage {
    return usageAtMost(this.#runs.get(id)?.before ?? this.#talk, this.row, 'none', this.#maxOutput)
  }

  /** The most that a response may cost. */
  most(wish: ResponseWish): Holding {
    return this.#atMost(this.#reading(wish), lowest(wish.maxOutput, this.#maxOutput))
  }

  /** The most that it may cost with an answer of `smallest` tokens. */
  least(wish: ResponseWish, smallest: Tokens): Holding {
    return this.#atMost(this.#reading(wish), lowest(lowest(wish.maxOutput, this.#maxOutput), smallest))
  }

  /** What may begin without being asked for: a response to what is being said, and the transcription of it. */
  next(): Need {
    const sent = this.transcription(ms(this.untaken + LOOK_AGAIN))
    const writing = this.writingAhead()
    if (this.#transcribesOnly) return { next: writing, writing, sent }
    const ahead = ms(Math.max(0, SPEECH_AHEAD - this.#talk.buffered))
    const response = this.#atMost(appended(this.#talk, ahead), this.#maxOutput)
    return { next: plus(response, writing), writing, sent }
  }

  /** What may come to be written down, spoken or not, before anybody asks again. */
  writingAhead(): Holding {
    return this.transcription(ms(Math.max(SPEECH_AHEAD, this.untaken + 2 * LOOK_AGAIN)))
  }

  /** The most that writing down so much speech may cost, by whoever may do it. */
  transcription(length: Ms): Holding {
    let most = this.#transcriber === null ? NOTHING_HELD : this.#writtenBy(this.#transcriber, length)
    for (const row of this.#asked) most = greater(most, this.#writtenBy(row, length))
    return most
  }

  /** The longest answer that `held` pays for; null where that is as long as it may be anyway. */
  clamp(wish: ResponseWish, held: Holding): Tokens | null {
    const limit = lowest(wish.maxOutput, this.#maxOutput)
    const talk = this.#reading(wish)
    const byMoney = outputThatFits(talk, this.row, 'none', held.money)
    const read = weighted(usageSoFar(talk, this.row, 'none', NO_TOKENS), this.#weights)
    const byTokens = Math.floor(((held.tokens - read) * 1_000) / this.#weights.unsplitOut)
    const fits = tokens(Math.max(1, Math.min(byMoney, byTokens)))
    const most = limit ?? this.row.maxOut
    return most !== null && fits >= most ? null : fits
  }

  weightOf(usage: Usage): Tokens {
    return weighted(usage, this.#weights)
  }

  /** What a transcription of so much speech uses at the most: for when nothing more is heard of it. */
  transcriptionAtMost(row: PriceRow, length: Ms): Usage {
    const audioMs = ms(Math.ceil(length + ROUNDING))
    const audio = heardTokens(audioMs, row)
    // A written word is shorter than the sound of it: no more tokens come out than went in, but for the shortest turns.
    return {
      ...NOTHING,
      audioMs,
      in: { ...NO_TOKENS, audio, text: tokens(this.#prompt) },
      out: { ...NO_TOKENS, text: tokens(audio + ITEM_OVERHEAD) },
      estimated: true,
    }
  }

  // ---- inside ----

  #writtenBy(row: PriceRow, length: Ms): Holding {
    const usage = this.transcriptionAtMost(row, length)
    return { money: cost(usage, row).nano, tokens: weighted(usage, weightsOf(row)) }
  }

  /** How much of what is buffered the provider's next answer is about: all of it where no mark says otherwise. */
  #nextMark(): Ms {
    const { buffered } = this.#talk
    const upTo = ms(Math.min(this.#marks.shift() ?? buffered, buffered))
    this.#marks = this.#marks.map((mark) => ms(Math.max(0, mark - upTo)))
    return upTo
  }

  /** Nothing is taken to come from the cache. */
  #atMost(talk: Conversation, maxOutput: Tokens | null): Holding {
    const usage = usageAtMost(talk, this.row, 'none', maxOutput)
    return { money: cost(usage, this.row).nano, tokens: weighted(usage, this.#weights) }
  }

  #reading(wish: ResponseWish): Conversation {
    const talk = wish.isApart ? EMPTY : this.#talk
    const bytes = wish.extraBytes + (wish.isApart ? this.#baseBytes : 0)
    return bytes === 0 ? talk : added(talk, { ...NO_TOKENS, text: tokens(bytes) })
  }
}

function lowest(a: Tokens | null, b: Tokens | null): Tokens | null {
  if (a === null) return b
  return b === null ? a : tokens(Math.min(a, b))
}
