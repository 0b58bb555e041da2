import type { Ms } from '../units.ts'

/** Times on the line of the original recording, ms from its beginning. */
export interface Span {
  readonly start: Ms
  readonly end: Ms
}

export interface TranscriptWord extends Span {
  readonly word: string
}

export interface TranscriptSegment extends Span {
  readonly text: string
  /** Of models that tell voices apart; else null. */
  readonly speaker: string | null
  /** `avg_logprob` and `no_speech_prob` where the model gives them; else null. */
  readonly avgLogprob: number | null
  readonly noSpeechProb: number | null
}

/** What was said in a recording, on its own time line. */
export interface Transcript {
  readonly text: string
  /** ISO 639-1 where known. */
  readonly language: string | null
  /** Length of the recording. */
  readonly duration: Ms
  /** In the order of `start`. One for each piece, from its bounds, where the model gives no time stamps. */
  readonly segments: readonly TranscriptSegment[]
  /** Null where words were not asked for or the model does not give them. */
  readonly words: readonly TranscriptWord[] | null
  /** True where the provider's own speech detection was silenced by an answer cut short that could not be mended. */
  readonly incomplete: boolean
}
