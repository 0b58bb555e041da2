import type { JobType } from '../../../src/media/job-request.ts'
import type { Processor } from '../processor.ts'
import { audioPrepare } from './audio-prepare.ts'
import { audioTranscribe } from './audio-transcribe.ts'
import { imageDescribe } from './image-describe.ts'
import { imagePrepare } from './image-prepare.ts'
import { videoAudio } from './video-audio.ts'
import { videoFrames } from './video-frames.ts'

/** How jobs of each type are done. */
export const PROCESSORS: Readonly<Record<JobType, Processor>> = {
  'audio.transcribe': audioTranscribe,
  'audio.prepare': audioPrepare,
  'image.describe': imageDescribe,
  'image.prepare': imagePrepare,
  'video.audio': videoAudio,
  'video.frames': videoFrames,
}
