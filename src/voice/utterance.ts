/** One verdict about 30 ms of audio. */
export interface FrameVerdict {
  /** Level after pre-emphasis, dB below full scale. */
  levelDb: number
  /** The classifier took it for a voice. Asked only for frames that stand out of the noise. */
  isVoice: boolean
}

export type UtteranceState =
  | { readonly phase: 'quiet'; readonly recent: number }
  /** `lastVoice`: index of the last frame that was speech. */
  | { readonly phase: 'speaking'; readonly lastVoice: number }

export type UtteranceEvent = { type: 'started'; frame: number } | { type: 'stopped'; frame: number } | null

/** Frames looked back upon for an onset, and how many of them must be speech: 210 ms out of 300 ms. */
export const ONSET_WINDOW = 10
export const ONSET_FRAMES = 7
/** How far speech stands out of the noise, dB: to begin an utterance, and to go on with it. */
export const ONSET_DB = 9
export const GOING_ON_DB = 6
/** A syllable keeps near its own peak for as long as it lasts; the tail of a click falls away at once. dB. */
export const SUSTAINED_DB = 15
/** Below this a microphone records nothing but itself, dBFS after pre-emphasis. */
export const QUIETEST_DB = -78

export const quiet: UtteranceState = { phase: 'quiet', recent: 0 }

/** Whether a frame stands far enough out of the noise to be worth the classifier's time. */
export function standsOut(state: UtteranceState, levelDb: number, floorDb: number, peakDb: number): boolean {
  if (levelDb <= QUIETEST_DB) return false
  if (state.phase === 'speaking') return levelDb - floorDb > GOING_ON_DB
  return levelDb - floorDb > ONSET_DB && levelDb > peakDb - SUSTAINED_DB
}

/**
 * The next state after frame number `frame`. Pure. A click is one or two frames and a knock three or four: too few for an
 * onset. `recent` holds the last frames as bits, newest lowest.
 */
export function hear(
  state: UtteranceState,
  isSpeech: boolean,
  frame: number,
  silenceFrames: number,
): { state: UtteranceState; event: UtteranceEvent } {
  if (state.phase === 'speaking') {
    if (isSpeech) return { state: { phase: 'speaking', lastVoice: frame }, event: null }
    if (frame - state.lastVoice < silenceFrames) return { state, event: null }
    return { state: quiet, event: { type: 'stopped', frame: state.lastVoice + 1 } }
  }
  const recent = ((state.recent << 1) | (isSpeech ? 1 : 0)) & ((1 << ONSET_WINDOW) - 1)
  if (bitCount(recent) < ONSET_FRAMES) return { state: { phase: 'quiet', recent }, event: null }
  const began = frame - (31 - Math.clz32(recent))
  return { state: { phase: 'speaking', lastVoice: frame }, event: { type: 'started', frame: began } }
}

function bitCount(bits: number): number {
  let n = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) n++
  return n
}
