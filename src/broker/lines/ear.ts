import type { AudioSpan } from '../../frames/audio-span.ts'
import type { SessionEvent } from '../../session/state.ts'
import type { AudioFormat, VoiceDetection, VoiceDetector } from '../../voice/detector.ts'

/** Silence that ends an utterance, ms: long enough for the pause inside a sentence. */
const SILENCE_MS = 500

/** The broker's own ear, for sessions whose provider does not listen for speech itself. */
export class Ear {
  readonly #voices: VoiceDetection
  readonly #dispatch: (event: SessionEvent) => void
  #detector: VoiceDetector | null = null

  constructor(voices: VoiceDetection, dispatch: (event: SessionEvent) => void) {
    this.#voices = voices
    this.#dispatch = dispatch
  }

  /** Listens to audio of this format from now on; null: not at all. */
  listen(format: AudioFormat | null): void {
    this.#detector?.[Symbol.dispose]()
    this.#detector = null
    if (format === null) return
    this.#detector = this.#voices.detector(
      { format, silenceMs: SILENCE_MS },
      {
        speechStarted: () => this.#dispatch({ type: 'caller_spoke' }),
        speechStopped: () => this.#dispatch({ type: 'caller_fell_silent' }),
        // Nobody is cut for silence that was not heard.
        unheard: (is) => this.#dispatch({ type: is ? 'caller_spoke' : 'caller_fell_silent' }),
      },
    )
  }

  /** Base64 between two positions of a message. */
  hear(message: Buffer, { start, end }: AudioSpan): void {
    this.#detector?.hearBase64(message.subarray(start, end))
  }
}
