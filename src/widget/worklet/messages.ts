import type { News, Played } from '../jitter-buffer.ts'

/** Names of the two processors, and the file that has both. */
export const CAPTURE = 'parley-capture'
export const PLAYBACK = 'parley-playback'

/** A piece of the microphone's sound: 24 kHz PCM16, and how loud it is (root mean square, 0 to 1). */
export interface Captured {
  samples: Int16Array
  level: number
}

export type ToPlayback =
  | { type: 'play'; itemId: string; samples: Int16Array }
  | { type: 'finish'; itemId: string }
  | { type: 'cut' }

/** `received`: pieces that had come by then; more on their way make the news old. */
export type FromPlayback =
  | (News & { received: number })
  | { type: 'level'; level: number }
  | { type: 'was_cut'; heard: readonly Played[] }
