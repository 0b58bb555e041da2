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
  readonly temperature: number | null
  /** What is asked of the provider, which may be more than the caller gets. */
  readonly format: 'json' | 'text' | 'verbose_json' | 'diarized_json'
  readonly timestamps: readonly ('word' | 'segment')[]
  readonly logprobs: boolean
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
  /** Mean of the token log probabilities where the model gives them: what escalation looks at. */
  readonly meanLogprob: number | null
  readonly usage: Usage | null
  /** The provider's id of the request where it gives one. */
  readonly requestId: string | null
}

export interface VisionCall {
  readonly model: string
  readonly prompt: string
  readonly pictures: readonly { readonly path: string; readonly mime: string; readonly detail: string | null }[]
  /** Text that stands in for pictures read here. */
  readonly text: string | null
  readonly maxOutputTokens: number
}

export interface VisionAnswer {
  readonly text: string
  /** Whether the answer was cut at its limit. */
  readonly isCut: boolean
  readonly meanLogprob: number | null
  readonly usage: Usage | null
  readonly requestId: string | null
}

/**
 * A seller of transcriptions and descriptions: `openai`, `azure`, `openai-compatible`, `loopback`; one contract suite runs
 * against each (test/contract/media-provider.ts). Rejects with `CallFailed`, or the signal's reason.
 */
export interface MediaProvider {
  transcribe(call: TranscriptionCall, signal: AbortSignal): Promise<TranscriptionAnswer>
  describe(call: VisionCall, signal: AbortSignal): Promise<VisionAnswer>
}

/** What went wrong with a call, in the terms that decide what to do next. The provider's own body is never kept. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed'
  readonly kind: 'rate_limited' | 'unavailable' | 'timeout' | 'refused' | 'bad_credentials' | 'bad_answer'
  readonly status: number | null
  /** From `Retry-After` or the rate headers. */
  readonly retryAfter: Ms | null
  /** Bytes had been sent and the answer never came: it may have been bought. */
  readonly mayBeBought: boolean
  constructor(
    kind: CallFailed['kind'],
    message: string,
    detail: { status?: number; retryAfter?: Ms; mayBeBought?: boolean; cause?: unknown } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.kind = kind
    this.status = detail.status ?? null
    this.retryAfter = detail.retryAfter ?? null
    this.mayBeBought = detail.mayBeBought ?? false
  }
}
