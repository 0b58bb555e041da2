import installer from '@ffmpeg-installer/ffmpeg'
import { bytes, ms } from '../../src/units.ts'
import { findProgram } from '../../workers/tools/find-program.ts'
import type { TaskContext } from '../../workers/tools/task.ts'
import type { ToolSettings } from '../../workers/tools/tool-settings.ts'

/** Every ffmpeg the work on media must do with: the system's, and the old one of the package. */
export const FFMPEGS = [
  { name: 'the system', file: findProgram('ffmpeg', process.env.PATH) },
  { name: 'the package', file: installer.path },
].filter((one): one is { name: string; file: string } => one.file !== null)

/** What tasks have around them, for tests that call them in this process. */
export function taskContext(ffmpeg: string): TaskContext {
  return {
    ffmpeg,
    prlimit: findProgram('prlimit', process.env.PATH),
    longestAudioMs: 12 * 3_600_000,
    mostPixels: 40_000_000,
    progress: () => undefined,
  }
}

export function toolSettings(ffmpeg?: string): ToolSettings {
  return {
    ffmpeg,
    processes: 2,
    memory: bytes(768 * 2 ** 20),
    longestAudio: ms(12 * 3_600_000),
    mostPixels: 40_000_000,
    path: process.env.PATH,
  }
}
