import VAD from 'node-vad'
import { FRAME, Framer, levelDb, RATE } from './decode.ts'
import type { AudioFormat } from './detector.ts'
import { NoiseFloor, RecentPeak } from './noise-floor.ts'
import { hear, quiet, standsOut, type UtteranceState } from './utterance.ts'

/** What the broker asks of this process. Pieces of all callers come together, `lengths` long each, end to end. */
export type ToChild =
  | { type: 'open'; stream: number; format: AudioFormat; silenceMs: number }
  | { type: 'close'; stream: number }
  | { type: 'audio'; streams: Uint32Array; lengths: Uint32Array; data: Uint8Array }

export type FromChild =
  /** Once, when the native detector is loaded. */
  | { type: 'ready' }
  | { type: 'started' | 'stopped'; stream: number; atMs: number }
  /** So many bytes of a batch have been dealt with. */
  | { type: 'done'; bytes: number }

/** Length of one frame, ms. */
const FRAME_MS = (FRAME * 1_000) / RATE

class Stream {
  readonly framer: Framer
  readonly floor = new NoiseFloor()
  readonly peak = new RecentPeak()
  readonly vad = new VAD(VAD.Mode.AGGRESSIVE)
  readonly silenceFrames: number
  state: UtteranceState = quiet
  frame = 0
  last = 0

  constructor(format: AudioFormat, silenceMs: number) {
    this.framer = new Framer(format)
    this.silenceFrames = Math.max(1, Math.ceil(silenceMs / FRAME_MS))
  }

  async isSpeech(samples: Float32Array): Promise<boolean> {
    const level = levelDb(samples, this.last)
    this.last = samples[samples.length - 1] ?? 0
    if (!standsOut(this.state, level, this.floor.hear(level), this.peak.hear(level))) return false
    const verdict = await this.vad.processAudioFloat(Buffer.from(samples.buffer), RATE)
    return verdict === VAD.Event.VOICE
  }
}

const streams = new Map<number, Stream>()

function tell(message: FromChild): void {
  // A parent that is gone is told nothing; `disconnect` ends this process.
  process.send?.(message, undefined, undefined, () => undefined)
}

async function audio(batch: Extract<ToChild, { type: 'audio' }>): Promise<void> {
  let at = 0
  for (const [i, id] of batch.streams.entries()) {
    const length = batch.lengths[i] ?? 0
    const piece = Buffer.from(batch.data.buffer, batch.data.byteOffset + at, length)
    at += length
    const stream = streams.get(id)
    if (stream === undefined) continue
    for (const samples of stream.framer.push(piece)) {
      const step = hear(stream.state, await stream.isSpeech(samples), stream.frame++, stream.silenceFrames)
      stream.state = step.state
      if (step.event === null) continue
      tell({ type: step.event.type, stream: id, atMs: step.event.frame * FRAME_MS })
    }
  }
  tell({ type: 'done', bytes: batch.data.length })
}

/** Batches are dealt with one after the other, so each caller's audio stays in order. */
let turn = Promise.resolve()
process.on('message', (message: ToChild) => {
  turn = turn.then(async () => {
    if (message.type === 'open') streams.set(message.stream, new Stream(message.format, message.silenceMs))
    else if (message.type === 'close') streams.delete(message.stream)
    else await audio(message)
  })
})
// Whoever started it is gone, and so is its reason to be.
process.on('disconnect', () => process.exit(0))
// Ended by its parent alone: a signal to the whole group is for the parent to act upon.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
tell({ type: 'ready' })
