import { setFlagsFromString } from 'node:v8'

/**
 * A relay makes two kinds of garbage: what a frame needs for a moment, and every read from a socket, which is memory
 * outside V8's heap. V8 by default lets the young heap grow, so that thousands of reads are freed in one pause of 10 to
 * 20 ms, and takes the reads for a growing heap, so that it marks the whole of it once a second or two, on other threads and
 * in pauses of its own: a fifth of the CPU of 400 conversations and nearly all of the latency above its median.
 *
 * So reads are counted with the heap (known to V8 since 13.6, Node 24) and the young heap stays small. Measured with
 * `npm run bench -- --only latency`. Takes effect from when it is evaluated, so nothing large may be imported beside it.
 */
const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number)
if (major > 13 || (major === 13 && minor >= 6)) setFlagsFromString('--external-memory-accounted-in-global-limit')
setFlagsFromString('--semi-space-growth-factor=1')
