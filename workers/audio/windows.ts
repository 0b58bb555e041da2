import { HighPass } from './high-pass.ts'

/**
 * The detectors' common measure, samples (480 ms): 16 frames of WebRTC's and 15 chunks of Silero's, so that neither ever
 * drifts off the time line.
 */
export const CELL = 7_680
/** Sound looked at together: 307 s, of which memory is the only cost. */
export const WINDOW_CELLS = 640
/** Sound before a piece that a detector hears first, to settle: 2.4 s. */
export const WARM_UP_CELLS = 5
const LEAD = WARM_UP_CELLS * CELL

/** A stretch of filtered sound, with what came before it. */
export interface Window {
  /** `lead` samples of what came before, then the window itself; zeros where it is not full. Overwritten by the next one. */
  readonly samples: Float32Array
  readonly lead: number
  /** Where the window begins in the recording, samples. */
  readonly start: number
  /** Samples in it: all of them whole cells but in the last. */
  readonly length: number
  /** What came before is real sound, not the beginning of the recording. */
  readonly isWarm: boolean
}

/** Cuts sound into windows, filtered for the detectors. Memory: one window, however long the sound. */
export async function* windows(blocks: AsyncIterable<Int16Array>): AsyncGenerator<Window> {
  const filter = new HighPass()
  const size = WINDOW_CELLS * CELL
  const samples = new Float32Array(LEAD + size)
  let start = 0
  let length = 0
  for await (const block of blocks) {
    for (let from = 0; from < block.length; ) {
      const part = block.subarray(from, from + size - length)
      filter.run(part, samples, LEAD + length)
      from += part.length
      length += part.length
      if (length < size) continue
      yield { samples, lead: LEAD, start, length, isWarm: start > 0 }
      samples.copyWithin(0, size)
      start += size
      length = 0
    }
  }
  if (length === 0) return
  samples.fill(0, LEAD + length)
  yield { samples, lead: LEAD, start, length, isWarm: start > 0 }
}
