import { setFlagsFromString } from 'node:v8'

/**
 * Every read from a socket is memory outside V8's heap, and gone before the next. By default so much of it coming and going
 * makes V8 mark the whole heap several times a second, on other threads and in pauses of its own: a fifth of the CPU of a
 * relay of 400 conversations, and most of the latency above its median. Counted with the heap it is freed as the garbage of
 * a moment that it is. Known to V8 since 13.6 (Node 24); older ones do without. Must be imported before anything else.
 */
const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number)
if (major > 13 || (major === 13 && minor >= 6)) setFlagsFromString('--external-memory-accounted-in-global-limit')
