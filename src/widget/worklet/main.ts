import { CaptureProcessor } from './capture-processor.ts'
import { CAPTURE, PLAYBACK } from './messages.ts'
import { PlaybackProcessor } from './playback-processor.ts'

registerProcessor(CAPTURE, CaptureProcessor)
registerProcessor(PLAYBACK, PlaybackProcessor)
