import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { RATE } from '../../src/media/audio/samples.ts'
import type { CellRange } from './stretches.ts'
import { CELL, WARM_UP_CELLS, type Window } from './windows.ts'

/** Samples the model judges at a time: 32 ms. */
export const CHUNK = 512
/** Samples of the chunk before that stand before each chunk. Without them the model hears nothing, and nothing complains. */
const CONTEXT = 64
const INPUT = CONTEXT + CHUNK
/** Numbers in each half of the state it carries from chunk to chunk. */
const STATE = 128
/** Pieces heard side by side: a chunk costs half of what it costs alone. */
const LANES = 16
const MODEL = new URL('./silero-v6/silero-vad-v6.onnx', import.meta.url)
/** SHA-256 of the model as it was measured. */
const MODEL_HASH = '1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3'
const CHUNKS_PER_CELL = CELL / CHUNK

/** A piece on its way through a lane. */
interface Lane {
  /** Next chunk of the window; negative in what came before it. */
  chunk: number
  /** First chunk whose verdict counts, and the one after the last. */
  readonly from: number
  readonly to: number
}

/** Silero's voice detector, version 6. */
export class Silero {
  readonly #session: InferenceSession
  /** Filled anew for every step, because a fresh one for each chunk would leave gigabytes behind for every hour. */
  readonly #input = new Float32Array(LANES * INPUT)
  readonly #rate = new Tensor('int64', BigInt64Array.from([BigInt(RATE)]), [])

  private constructor(session: InferenceSession) {
    this.#session = session
  }

  /** Rejects where the model or its runtime cannot be had here, or the file is not the one that was measured. */
  static async load(): Promise<Silero> {
    const model = await readFile(MODEL)
    const hash = createHash('sha256').update(model).digest('hex')
    if (hash !== MODEL_HASH) throw new Error('the voice detection model is not the one that was measured')
    const session = await InferenceSession.create(model, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 4,
    })
    return new Silero(session)
  }

  /**
   * The probability that somebody speaks, for every 32 ms of these pieces of a window; 0 elsewhere. Each piece is heard from
   * 2.4 s before its beginning, for the model to settle.
   */
  async probabilities(window: Window, pieces: readonly CellRange[]): Promise<Float32Array> {
    const verdicts = new Float32Array(Math.ceil(window.length / CELL) * CHUNKS_PER_CELL)
    const earliest = window.isWarm ? -WARM_UP_CELLS : 0
    const waiting = pieces.map(({ from, to }) => ({
      chunk: Math.max(earliest, from - WARM_UP_CELLS) * CHUNKS_PER_CELL,
      from: from * CHUNKS_PER_CELL,
      to: to * CHUNKS_PER_CELL,
    }))
    let lanes: Lane[] = waiting.splice(0, LANES)
    let state: Float32Array = new Float32Array(2 * lanes.length * STATE)
    while (lanes.length > 0) {
      const input = this.#input.subarray(0, lanes.length * INPUT)
      for (const [i, { chunk }] of lanes.entries()) {
        const at = window.lead + chunk * CHUNK
        // Before the very first sample there is silence.
        const from = Math.max(0, at - CONTEXT)
        input.fill(0, i * INPUT, i * INPUT + CONTEXT)
        input.set(window.samples.subarray(from, at + CHUNK), i * INPUT + INPUT - CHUNK - (at - from))
      }
      const heard = await this.#session.run({
        input: new Tensor('float32', input, [lanes.length, INPUT]),
        state: new Tensor('float32', state, [2, lanes.length, STATE]),
        sr: this.#rate,
      })
      const output = heard.output?.data as Float32Array
      for (const [i, lane] of lanes.entries()) {
        if (lane.chunk >= lane.from) verdicts[lane.chunk] = output[i] as number
        lane.chunk++
      }
      const next = advance(lanes, waiting, heard.stateN?.data as Float32Array)
      lanes = next.lanes
      state = next.state
    }
    return verdicts
  }
}

/** The lanes of the next step: one that is through takes the next piece, with a fresh state, or falls away. */
function advance(lanes: Lane[], waiting: Lane[], state: Float32Array): { lanes: Lane[]; state: Float32Array } {
  if (lanes.every((lane) => lane.chunk < lane.to)) return { lanes, state }
  const kept = lanes.flatMap((lane, i): { lane: Lane; before: number | null }[] => {
    if (lane.chunk < lane.to) return [{ lane, before: i }]
    const next = waiting.shift()
    return next === undefined ? [] : [{ lane: next, before: null }]
  })
  const out = new Float32Array(2 * kept.length * STATE)
  for (const [i, { before }] of kept.entries()) {
    if (before === null) continue
    for (const half of [0, 1]) {
      const from = (half * lanes.length + before) * STATE
      out.set(state.subarray(from, from + STATE), (half * kept.length + i) * STATE)
    }
  }
  return { lanes: kept.map(({ lane }) => lane), state: out }
}
