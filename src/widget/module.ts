/** The build for `import`. */
import { define } from './define.ts'

export type { ClientEvent } from './call-state.ts'
export { ParleyVoice, type ParleyVoiceEventMap } from './element.ts'
export type { EndCause, NextStep } from './endings.ts'
export type { SecretAnswer } from './secret.ts'
export type { ServerEvent } from './server-events.ts'
export type { StringChanges, Strings } from './strings.ts'
export type { Line } from './transcript.ts'

// In this very form bundlers see that the file has to come along.
define(import.meta.url, new URL('./parley-voice-audio.js', import.meta.url))
