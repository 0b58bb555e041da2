import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Job } from '../../../src/media/job.ts'
import type { VideoFramesOptions } from '../../../src/media/job-request.ts'
import { ms } from '../../../src/units.ts'
import { NO_USAGE, NOTHING_SAVED } from '../accounts.ts'
import { keepFile, keepJson } from '../keep-output.ts'
import { openInput } from '../open-input.ts'
import type { Finished, JobTools, Processor } from '../processor.ts'
import { savedBy, wish } from './image-prepare.ts'

/** `video.frames`: the few frames that differ, each prepared as a picture. */
export const videoFrames: Processor = {
  async run(job: Job, tools: JobTools, signal: AbortSignal): Promise<Finished> {
    await using input = await openInput(job, tools, signal)
    const options = job.options as VideoFramesOptions
    tools.progress({ stage: 'preparing', done: 0, total: 0 })
    const { duration } = await tools.media.probe(input.path, signal)
    const whole = join(tools.folder, 'frames')
    await mkdir(whole)
    const found = await tools.media.distinctFrames(input.path, whole, options.max_frames, signal)
    const frames: unknown[] = []
    const files: string[] = []
    const sums = { tokensIn: 0, tokensSent: 0, bytesSent: 0 }
    for (const [i, { file, at }] of found.entries()) {
      const into = join(tools.folder, `frame-${i}`)
      await mkdir(into)
      const prepared = await tools.media.preparePicture(join(whole, file), into, wish(options, tools), signal)
      const { tokensIn, tokensSent, bytesSent } = savedBy(prepared, 0)
      sums.tokensIn += tokensIn
      sums.tokensSent += tokensSent
      sums.bytesSent += bytesSent
      if (prepared.text !== null) frames.push({ at_ms: Math.round(at), text: prepared.text, tokens: prepared.tokens })
      for (const [n, picture] of prepared.pictures.entries()) {
        const { mime, width, height, bytes, detail, tokens } = picture
        const output = { part: `frame-${i}-${n}`, mime, filename: `frame-${i}-${n}.${mime.slice(6)}` }
        const { id } = await keepFile(job, tools, join(into, picture.file), output, signal)
        files.push(id)
        frames.push({ at_ms: Math.round(at), file_id: id, mime, width, height, bytes, detail, tokens })
      }
      tools.progress({ stage: 'preparing', done: i + 1, total: found.length })
    }
    const json = { frames, duration_ms: duration === null ? null : Math.round(duration) }
    const result = await keepJson(job, tools, json, files, signal)
    const { size } = await stat(input.path)
    const saved = {
      ...NOTHING_SAVED,
      inputMs: duration === null ? null : ms(Math.round(duration)),
      bytesIn: size,
      ...sums,
    }
    return { type: 'finished', result, saved, usage: NO_USAGE }
  },
}
