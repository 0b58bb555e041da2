/** An audio worklet that passes nothing on and hands the page every sample it hears, with its place in time. */
class Tap extends AudioWorkletProcessor {
  override process([input = []]: Float32Array[][]): boolean {
    const samples = input[0]
    if (samples !== undefined) this.port.postMessage({ frame: currentFrame, samples: samples.slice() })
    return true
  }
}
registerProcessor('tap', Tap)
