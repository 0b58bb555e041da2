/** What an audio worklet's own scope has; TypeScript's library knows only the page's side of it. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort
  process(inputs: Float32Array[][], outputs: Float32Array[][], parameters: Record<string, Float32Array>): boolean
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void
/** Of the sound card, samples a second. */
declare const sampleRate: number
