import type { MediaConfig } from '../../src/config/config.ts'

/** What the work on media is held to. */
export type ToolSettings = MediaConfig['tools'] & {
  /** Where programs are looked for; all that the processes get of the environment. */
  readonly path: string | undefined
}

/** What a process of the pool is told before its first task. */
export interface ToolContext {
  /** The program, as an absolute path. */
  readonly ffmpeg: string
  /** The program that sets limits of memory before it starts another; null where the system has none. */
  readonly prlimit: string | null
  readonly longestAudioMs: number
  readonly mostPixels: number
}
