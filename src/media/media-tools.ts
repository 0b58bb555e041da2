import type { Ms } from '../units.ts'
import type { PrepareAudio, PreparedAudio } from './prepared-audio.ts'
import type { PreparedPicture, PreparePicture } from './prepared-picture.ts'

/** Told of how far a step has come. */
export type OnProgress = (done: number, total: number) => void

/** What a file turned out to be, read from its own bytes within limits. */
export interface Probed {
  readonly kind: 'audio' | 'video' | 'image'
  /** Ours: `wav`, `mp3`, `mp4`, `jpeg`… */
  readonly format: string
  readonly mime: string
  readonly duration: Ms | null
  readonly channels: number | null
  readonly width: number | null
  readonly height: number | null
  readonly pages: number | null
}

export interface VideoFrame {
  readonly file: string
  readonly at: Ms
}

/**
 * The work on media itself, each piece of it in a child process with limits of memory and time. Paths are absolute and ours;
 * results are written into `into`, an empty folder. Rejects with FaultError: `media_corrupt`, `unsupported_media`,
 * `media_too_long`, `pixel_limit`, `media_too_heavy` (memory or time), or the signal's reason.
 */
export interface MediaTools extends AsyncDisposable {
  probe(path: string, signal: AbortSignal): Promise<Probed>
  prepareAudio(
    path: string,
    into: string,
    options: PrepareAudio,
    signal: AbortSignal,
    on?: OnProgress,
  ): Promise<PreparedAudio>
  preparePicture(path: string, into: string, options: PreparePicture, signal: AbortSignal): Promise<PreparedPicture>
  /** The sound of a video as one file. */
  extractAudio(
    path: string,
    into: string,
    format: 'flac' | 'opus',
    signal: AbortSignal,
  ): Promise<{ file: string; mime: string; bytes: number; sha256: string; duration: Ms }>
  /** The few frames that differ, in order, as full-size pictures. */
  distinctFrames(path: string, into: string, most: number, signal: AbortSignal): Promise<VideoFrame[]>
}
