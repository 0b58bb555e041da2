/**
 * Tells speech from silence and noise in one caller's audio. The answer decides money (idle cutoff, turns), so steady
 * noise, keyboard clicks and an open microphone in an empty room must not count as speech.
 */
export interface VoiceDetector extends Disposable {
  /**
   * Hands over the next piece of audio as it lay in its frame: base64 of G.711 or signed 16-bit little-endian mono PCM, any
   * length, in order. Copied at once, decoded elsewhere. Never blocks; the verdicts come later through the listener.
   */
  hearBase64(audio: Buffer): void
}

/** The wire formats of the realtime protocol and the rate (Hz) of each. */
export type AudioFormat = { encoding: 'pcm16'; rate: number } | { encoding: 'pcmu' | 'pcma'; rate: 8_000 }

export interface VoiceListener {
  /** Speech began `atMs` after the first sample heard (ms of audio, not wall time). */
  speechStarted(atMs: number): void
  /** Speech ended `atMs` after the first sample heard, told once `silenceMs` of silence have followed. */
  speechStopped(atMs: number): void
  /**
   * `true`: audio came that nobody could listen to, because the detector is behind or starting again. It may have been
   * speech. `false`: all that comes is heard again.
   */
  unheard?(isUnheard: boolean): void
}

export interface VoiceOptions {
  format: AudioFormat
  /** Silence that ends an utterance, ms. */
  silenceMs: number
}

/** Makes detectors; owns the thread or process in which they run, away from the event loop. */
export interface VoiceDetection extends AsyncDisposable {
  detector(options: VoiceOptions, listener: VoiceListener): VoiceDetector
}
