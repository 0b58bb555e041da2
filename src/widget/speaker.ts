import { fromBase64 } from './pcm.ts'
import { type FromPlayback, PLAYBACK, type ToPlayback } from './worklet/messages.ts'

/** Samples of a millisecond at 24 kHz. */
const SAMPLES_PER_MS = 24

export interface SpeakerListener {
  sounding(): void
  quiet(): void
  /** How loud it is, 0 to 1. */
  level(level: number): void
  /** What had been heard of each item when speech was cut. */
  wasCut(heard: { itemId: string; ms: number }[]): void
}

/** Speech on its way to a person's ear. */
export class Speaker {
  readonly #context: AudioContext
  readonly #node: AudioWorkletNode
  /** Pieces handed over. */
  #sent = 0

  constructor(context: AudioContext, listener: SpeakerListener) {
    this.#context = context
    this.#node = new AudioWorkletNode(context, PLAYBACK, { numberOfInputs: 0, outputChannelCount: [1] })
    this.#node.port.onmessage = ({ data }: MessageEvent<FromPlayback>) => {
      if (data.type === 'level') return listener.level(data.level)
      if (data.type === 'sounding') return listener.sounding()
      if (data.type === 'quiet' && data.received === this.#sent) return listener.quiet()
      if (data.type === 'was_cut') {
        const late = this.#latencyMs
        listener.wasCut(
          data.heard.map(({ itemId, samples }) => ({ itemId, ms: Math.max(0, samples / SAMPLES_PER_MS - late) })),
        )
      }
    }
    this.#node.connect(context.destination)
  }

  /** Base64 of 24 kHz PCM16. */
  play(itemId: string, audio: string): void {
    const samples = fromBase64(audio)
    this.#sent++
    this.#tell({ type: 'play', itemId, samples }, [samples.buffer])
  }

  finish(itemId: string): void {
    this.#tell({ type: 'finish', itemId })
  }

  cut(): void {
    this.#tell({ type: 'cut' })
  }

  close(): void {
    this.#node.port.onmessage = null
    this.#node.disconnect()
  }

  /** What the sound card holds has been played but not heard. Where the browser does not say, nothing is assumed. */
  get #latencyMs(): number {
    const { outputLatency, baseLatency } = this.#context
    return ((outputLatency || baseLatency || 0) as number) * 1_000
  }

  #tell(message: ToPlayback, transfer: Transferable[] = []): void {
    this.#node.port.postMessage(message, transfer)
  }
}
