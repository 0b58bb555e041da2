import process from 'node:process'

/**
 * Buffers of sound lie outside of JavaScript's heap, whose collector lets 64 MB of them gather before it looks. So whoever
 * streams tells it: `minor` for what has just gone by, which takes a millisecond, `major` for all. Without effect outside
 * of the pool's processes, which are started for it (tool-process.ts).
 */
export function collect(what: 'minor' | 'major'): void {
  globalThis.gc?.({ type: what })
}

/** Collects once buffers of more than `most` bytes have gathered, which is cheaper than to do so every time. */
export function collectPast(most: number): void {
  if (process.memoryUsage().external > most) collect('major')
}
