/** What a session asks of a provider. */
export interface CallSpec {
  /** `conversation` answers; `transcription` only writes down what it hears. */
  kind: 'conversation' | 'transcription'
  /** The provider's own name for the model; absent for a transcription session that names it in its session object. */
  model?: string
  /** OpenAI's optional attribution of the end user, a hash; sent as `OpenAI-Safety-Identifier` where supported. */
  safetyIdentifier?: string
}
