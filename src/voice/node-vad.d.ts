declare module 'node-vad' {
  /** WebRTC's voice activity detector. */
  export default class VAD {
    static readonly Mode: { NORMAL: 0; LOW_BITRATE: 1; AGGRESSIVE: 2; VERY_AGGRESSIVE: 3 }
    static readonly Event: { ERROR: number; SILENCE: number; VOICE: number; NOISE: number }
    constructor(mode: number)
    /** `audio`: 10, 20 or 30 ms of 32-bit floats. `rate`: 8000, 16000, 32000 or 48000 Hz. */
    processAudioFloat(audio: Buffer, rate: number): Promise<number>
  }
}
