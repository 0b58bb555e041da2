/** The script of the page with the widget: records what goes through the sound card, and what the widget tells. */
import type {} from '../../../../src/widget/element.ts'

/** A stretch of sound; `frame`: where it lies on the sound card's clock. */
export interface Stretch {
  frame: number
  samples: Float32Array
}

/** One side of the sound card, from the first sample recorded on, silence where nothing came; base64 of 32-bit floats. */
export interface Recording {
  rate: number
  frame: number
  samples: string
}

export interface VoiceTestPage {
  /** What was played, or came from the microphone, since the page was loaded. */
  recording(side: 'output' | 'input'): Recording
  /** Events of the widget and of the server, in order. */
  told: { type: string; detail: unknown }[]
  rejected: string[]
}

const stretches: Record<'output' | 'input', Stretch[]> = { output: [], input: [] }
let rate = 0

const addModule = AudioWorklet.prototype.addModule
AudioWorklet.prototype.addModule = async function (...args) {
  await addModule.apply(this, args)
  await addModule.call(this, new URL('/tap.js', location.href))
}
const connect = AudioNode.prototype.connect as (this: AudioNode, to: AudioNode) => AudioNode
AudioNode.prototype.connect = function (this: AudioNode, to: AudioNode) {
  const side =
    to instanceof AudioDestinationNode ? 'output' : this instanceof MediaStreamAudioSourceNode ? 'input' : null
  if (side !== null) {
    rate = this.context.sampleRate
    const tap = new AudioWorkletNode(this.context, 'tap', { numberOfOutputs: 0 })
    tap.port.onmessage = ({ data }: MessageEvent<Stretch>) => void stretches[side].push(data)
    connect.call(this, tap)
  }
  return connect.call(this, to)
} as typeof AudioNode.prototype.connect

const told: VoiceTestPage['told'] = []
for (const type of ['parley-state', 'parley-line', 'parley-cost', 'parley-end', 'parley-trouble', 'parley-event']) {
  addEventListener(type, (event) => told.push({ type, detail: (event as CustomEvent).detail }))
}
const rejected: string[] = []
addEventListener('securitypolicyviolation', (event) => rejected.push(`${event.violatedDirective} ${event.blockedURI}`))

function recording(side: 'output' | 'input'): Recording {
  const parts = stretches[side]
  const [first, last] = [parts[0], parts.at(-1)]
  if (first === undefined || last === undefined) return { rate, frame: 0, samples: '' }
  const samples = new Float32Array(last.frame + last.samples.length - first.frame)
  for (const part of parts) samples.set(part.samples, part.frame - first.frame)
  const bytes = new Uint8Array(samples.buffer)
  let text = ''
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192))
  return { rate, frame: first.frame, samples: btoa(text) }
}

const widget = () => document.querySelector('parley-voice')
/** The name of what has the focus inside the widget. */
function focused(): string {
  const inside = document.activeElement?.shadowRoot?.activeElement
  return inside?.getAttribute('aria-label') ?? inside?.textContent ?? ''
}
Object.assign(globalThis, { page: { recording, told, rejected } satisfies VoiceTestPage, widget, focused })
