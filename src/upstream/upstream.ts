import type { Peer } from '../frames/peer.ts'

/** What a session asks of a provider. */
export interface CallSpec {
  /** `conversation` answers; `transcription` only writes down what it hears. */
  kind: 'conversation' | 'transcription'
  /** The provider's own name for the model; absent for a transcription session that names it in its session object. */
  model?: string
  /** OpenAI's optional attribution of the end user, a hash; sent as `OpenAI-Safety-Identifier` where supported. */
  safetyIdentifier?: string
}

/**
 * A provider of speech models that speaks the OpenAI Realtime GA protocol, or is made to by its own file. Every
 * implementation passes test/contract/upstream.ts.
 */
export interface Upstream {
  readonly name: string
  /**
   * Dials. Resolves with an open peer whose first message will be `session.created`, or the provider's `error`.
   * Rejects with FaultError `upstream_unavailable` when nothing answers, refuses, or times out. Aborting hangs up.
   */
  open(call: CallSpec, signal: AbortSignal): Promise<Peer>
}
