import type { Clock } from '../../src/clock.ts'
import type { Log } from '../../src/log.ts'
import type { MediaTools, OnProgress, Probed, VideoFrame } from '../../src/media/media-tools.ts'
import type { PrepareAudio, PreparedAudio } from '../../src/media/prepared-audio.ts'
import type { PreparedPicture, PreparePicture } from '../../src/media/prepared-picture.ts'
import type { ExtractedAudio } from '../audio/extract-audio.ts'
import { findFfmpeg } from './find-ffmpeg.ts'
import { findProgram } from './find-program.ts'
import { TASKS } from './tasks.ts'
import { ToolPool } from './tool-pool.ts'
import type { ToolSettings } from './tool-settings.ts'

/** The work on media, each piece of it as a task in a process of the pool. */
export class IsolatedMediaTools implements MediaTools {
  readonly #pool: ToolPool<typeof TASKS>
  readonly #clock: Clock

  private constructor(pool: ToolPool<typeof TASKS>, clock: Clock) {
    this.#pool = pool
    this.#clock = clock
  }

  /** Finds the programs; processes start with the first task. Throws when there is no ffmpeg, with what to do about it. */
  static async start(settings: ToolSettings, clock: Clock, log: Log): Promise<IsolatedMediaTools> {
    const { processes, memory, path } = settings
    const ffmpeg = await findFfmpeg(settings.ffmpeg, path, log)
    log.info({ from: ffmpeg.from, version: ffmpeg.version }, 'ffmpeg is found')
    const prlimit = findProgram('prlimit', path)
    if (prlimit === null) log.warn({}, 'media is worked on without a limit of memory: this system has no prlimit')
    const context = {
      ffmpeg: ffmpeg.file,
      prlimit,
      longestAudioMs: settings.longestAudio,
      mostPixels: settings.mostPixels,
    }
    const module = new URL(import.meta.url.endsWith('.ts') ? './tasks.ts' : './tasks.js', import.meta.url)
    return new IsolatedMediaTools(new ToolPool(TASKS, { processes, memory, path, context, module }, clock), clock)
  }

  probe(path: string, signal: AbortSignal): Promise<Probed> {
    return this.#pool.run('probe', { path }, signal)
  }

  prepareAudio(
    path: string,
    into: string,
    options: PrepareAudio,
    signal: AbortSignal,
    on?: OnProgress,
  ): Promise<PreparedAudio> {
    return this.#pool.run('prepare-audio', { path, into, options }, signal, on)
  }

  extractAudio(path: string, into: string, format: 'flac' | 'opus', signal: AbortSignal): Promise<ExtractedAudio> {
    return this.#pool.run('extract-audio', { path, into, format }, signal)
  }

  preparePicture(path: string, into: string, options: PreparePicture, signal: AbortSignal): Promise<PreparedPicture> {
    return this.#pool.run('prepare-picture', { path, into, options, at: this.#clock.now() }, signal)
  }

  distinctFrames(path: string, into: string, most: number, signal: AbortSignal): Promise<VideoFrame[]> {
    return this.#pool.run('distinct-frames', { path, into, most }, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
  }
}
