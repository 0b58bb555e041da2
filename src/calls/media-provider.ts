import type { Usage } from '../meter/usage.ts'
import type { Ms } from '../units.ts'

/** One file to transcribe. */
export interface TranscriptionCall {
  readonly model: string
  readonly path: string
  readonly mime: string
  readonly bytes: number
  readonly duration: Ms
  readonly language: string | null
  readonly prompt: string | null
  /**
   * What was said right before in the same recording, for models that take a prompt. No part of what an answer is known by:
   * pieces are heard side by side, so that chance decides whether it is there.
   */
  readonly carry?: string | null
  readonly temperature: number | null
  /** What is asked of the provider, which may be more than the caller gets. */
  readonly format: 'json' | 'text' | 'verbose_json' | 'diarized_json'
  readonly timestamps: readonly ('word' | 'segment')[]
  readonly logprobs: boolean
  /** Further fields of the form in the provider's own words, as a drop-in's caller gave them. */
  readonly more?: readonly (readonly [name: string, value: string])[]
}

/** Everything that goes before the sound: the caller's own words, then what was said before. */
export function promptOf({ prompt, carry = null }: Pick<TranscriptionCall, 'prompt' | 'carry'>): string | null {
  const parts = [prompt, carry].filter((part) => part !== null && part !== '')
  return parts.length === 0 ? null : parts.join(' ')
}

/** Times in ms on the file's own line. */
export interface TranscriptionAnswer {
  readonly text: string
  readonly language: string | null
  readonly segments:
    | readonly {
        readonly start: Ms
        readonly end: Ms
        readonly text: string
        readonly speaker: string | null
        readonly avgLogprob: number | null
        readonly noSpeechProb: number | null
      }[]
    | null
  readonly words: readonly { readonly start: Ms; readonly end: Ms; readonly word: string }[] | null
  /** The tokens' own log probabilities, where they were asked for and given; in the provider's shape. */
  readonly logprobs: readonly unknown[] | null
  /** Mean of the token log probabilities where the model gives them: what escalation looks at. */
  readonly meanLogprob: number | null
  readonly usage: Usage | null
  /** The provider's id of the request where it gives one. */
  readonly requestId: string | null
}

export interface VisionCall {
  readonly model: string
  readonly prompt: string
  readonly pictures: readonly {
    readonly path: string
    readonly mime: string
    readonly detail: string | null
    /** By the model's own rule, for what is reserved; left out: the most that any picture costs. */
    readonly tokens?: number
  }[]
  /** Text that stands in for pictures read here. */
  readonly text: string | null
  readonly maxOutputTokens: number
  /** Log probabilities are asked for, of models that give them. */
  readonly logprobs?: boolean
}

export interface VisionAnswer {
  readonly text: string
  /** Whether the answer was cut at its limit. */
  readonly isCut: boolean
  readonly meanLogprob: number | null
  readonly usage: Usage | null
  readonly requestId: string | null
}

/** A request of a caller's own that goes to the provider as it is. */
export interface ForwardCall {
  readonly path: 'chat/completions' | 'responses'
  /** With the provider's own name of the model in it. */
  readonly body: Readonly<Record<string, unknown>>
}

/** The provider's answer as it comes: a success, or a refusal of the caller's own request. */
export interface Forwarded {
  readonly status: number
  readonly contentType: string
  readonly requestId: string | null
  /** To be read to its end, or left by `return`; throws CallFailed where it breaks off. */
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * A seller of transcriptions and descriptions: `openai`, `azure`, `openai-compatible`, `loopback`; one contract suite runs
 * against each (test/contract/media-provider.ts). Rejects with `CallFailed`, or the signal's reason.
 */
export interface MediaProvider {
  /** `onText`: told of text as it comes, in order, where the model streams it. */
  transcribe(
    call: TranscriptionCall,
    signal: AbortSignal,
    onText?: (text: string) => void,
  ): Promise<TranscriptionAnswer>
  describe(call: VisionCall, signal: AbortSignal): Promise<VisionAnswer>
  /** Refusals that are the caller's own doing (400, 404, 413, 415, 422) are an answer. */
  forward(call: ForwardCall, signal: AbortSignal): Promise<Forwarded>
}

type Kind = 'rate_limited' | 'unavailable' | 'timeout' | 'refused' | 'bad_credentials' | 'bad_answer'

/** What went wrong with a call, in the terms that decide what to do next. The provider's own body is never kept. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed'
  readonly kind: Kind
  readonly status: number | null
  /** From `Retry-After` or the rate headers. */
  readonly retryAfter: Ms | null
  /** Bytes had been sent and the answer never came: it may have been bought. */
  readonly mayBeBought: boolean
  /** `x-should-retry`: what the provider itself says about asking again; null where it says nothing. */
  readonly again: boolean | null
  constructor(
    kind: Kind,
    message: string,
    detail: {
      status?: number
      retryAfter?: Ms | null
      mayBeBought?: boolean
      again?: boolean | null
      cause?: unknown
    } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.kind = kind
    this.status = detail.status ?? null
    this.retryAfter = detail.retryAfter ?? null
    this.mayBeBought = detail.mayBeBought ?? false
    this.again = detail.again ?? null
  }
}
