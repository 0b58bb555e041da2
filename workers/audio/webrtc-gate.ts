import VAD from 'node-vad'
import { RATE } from '../../src/media/audio/samples.ts'
import { CELL, WARM_UP_CELLS, type Window } from './windows.ts'

/** Samples of one frame: 30 ms. */
export const FRAME = 480
/** Pieces of a window heard side by side, because a single verdict is mostly waiting. */
const LANES = 16
/** Nothing louder than this in a frame is silence without asking anybody: -76 dBFS at its peak. */
const INAUDIBLE = 0.000_16

/**
 * WebRTC's detector in its most lenient mode over a window, a verdict for every 30 ms. It takes hum, music and noise for
 * voices, but hardly ever a voice for silence, so that what it calls silence needs no further look.
 */
export async function webrtcVoices({ samples, lead, length, isWarm }: Window): Promise<Uint8Array> {
  const frames = Math.ceil(length / FRAME)
  const voices = new Uint8Array(frames)
  const cells = Math.ceil(length / CELL)
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)
  const perCell = CELL / FRAME
  const lane = async (index: number) => {
    const vad = new VAD(VAD.Mode.NORMAL)
    const [first, last] = [index, index + 1].map((i) => Math.floor((cells * i) / LANES) * perCell) as [number, number]
    const earliest = isWarm ? -WARM_UP_CELLS * perCell : 0
    for (let frame = Math.max(earliest, first - WARM_UP_CELLS * perCell); frame < Math.min(last, frames); frame++) {
      const at = lead + frame * FRAME
      if (!isAudible(samples, at)) continue
      const verdict = await vad.processAudioFloat(bytes.subarray(at * 4, (at + FRAME) * 4), RATE)
      if (frame >= first && verdict === VAD.Event.VOICE) voices[frame] = 1
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)))
  return voices
}

function isAudible(samples: Float32Array, at: number): boolean {
  for (let i = at; i < at + FRAME; i++) {
    const sample = samples[i] as number
    if (sample > INAUDIBLE || sample < -INAUDIBLE) return true
  }
  return false
}

/** Whether anything was heard in each cell. */
export function voicedCells(voices: Uint8Array, length: number): boolean[] {
  const perCell = CELL / FRAME
  return Array.from({ length: Math.ceil(length / CELL) }, (_, cell) =>
    voices.subarray(cell * perCell, (cell + 1) * perCell).includes(1),
  )
}
