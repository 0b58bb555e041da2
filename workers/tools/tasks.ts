import { ms } from '../../src/units.ts'
import { task } from './task.ts'

/** Everything the processes of the pool can do. A module is loaded in the process that needs it, never in its owner. */
export const TASKS = {
  probe: task(ms(20_000), async () => (await import('./probe.ts')).probe),
  // Told of progress every 307 s of sound, which a busy machine may take a while for.
  'prepare-audio': task(ms(120_000), async () => (await import('../audio/prepare-audio.ts')).prepareAudio),
  'extract-audio': task(ms(120_000), async () => (await import('../audio/extract-audio.ts')).extractAudio),
  // Two readings of a large page take ten seconds; a slower machine may take some times that.
  'prepare-picture': task(ms(120_000), async () => (await import('../pictures/picture-task.ts')).pictureTask),
  // Told of progress every ten seconds of video.
  'distinct-frames': task(ms(120_000), async () => (await import('../video/distinct-frames.ts')).distinctFrames),
} as const
