import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Job } from '../../../src/media/job.ts'
import type { VideoAudioOptions } from '../../../src/media/job-request.ts'
import { ms } from '../../../src/units.ts'
import { NO_USAGE, NOTHING_SAVED } from '../accounts.ts'
import { keepFile } from '../keep-output.ts'
import { openInput } from '../open-input.ts'
import type { Finished, JobTools, Processor } from '../processor.ts'

/** `video.audio`: the sound of a video as one file. */
export const videoAudio: Processor = {
  async run(job: Job, tools: JobTools, signal: AbortSignal): Promise<Finished> {
    await using input = await openInput(job, tools, signal)
    tools.progress({ stage: 'preparing', done: 0, total: 1 })
    const { format } = job.options as VideoAudioOptions
    const sound = await tools.media.extractAudio(input.path, tools.folder, format, signal)
    const { mime, bytes, sha256, duration } = sound
    const output = { part: 'sound', mime, filename: format === 'flac' ? 'sound.flac' : 'sound.ogg' }
    const { id } = await keepFile(job, tools, join(tools.folder, sound.file), output, signal)
    const json = { file_id: id, mime, bytes, sha256, duration_ms: Math.round(duration) }
    const { size } = await stat(input.path)
    const saved = { ...NOTHING_SAVED, inputMs: ms(Math.round(duration)), bytesIn: size, bytesSent: bytes }
    return { type: 'finished', result: { kind: 'inline', json }, saved, usage: NO_USAGE }
  },
}
