import type { Bytes } from '../../src/units.ts'

/** Of the memory a process may take, the share that is JavaScript's; the rest belongs to the libraries. */
const HEAP_SHARE = 0.4

/** How Node is started for a process of the pool. `memory`: what it may take beyond the code, bytes. */
export function nodeFlags(memory: Bytes): string[] {
  return [
    `--max-old-space-size=${Math.floor((memory * HEAP_SHARE) / 2 ** 20)}`,
    // Media goes by in buffers outside of the heap; what is young in it is small, and three times this is kept for it, MiB.
    '--max-semi-space-size=1',
    // Tasks that stream tell the collector when their buffers have gone by (tools/collect.ts).
    '--expose-gc',
  ]
}

/**
 * All that such a process is told by its environment. The C library keeps memory in one pool for all threads, because each
 * pool of its own keeps what it once had (measured: 40 MB for pictures), and large buffers apart, so that they are given back
 * as soon as they have gone by. Two threads work for Node: a process has one task, and each picture in hand takes its own
 * memory (measured: 130 MB for four at once in place of 141).
 */
export const ENVIRONMENT = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
  UV_THREADPOOL_SIZE: '2',
}
