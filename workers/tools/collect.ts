/**
 * Buffers of sound lie outside of JavaScript's heap, whose collector lets 64 MB of them gather before it looks. So whoever
 * streams tells it: `minor` for what has just gone by, which takes a millisecond, `major` for all. Without effect outside
 * of the pool's processes, which are started for it (tool-process.ts).
 */
export function collect(what: 'minor' | 'major'): void {
  globalThis.gc?.({ type: what })
}
