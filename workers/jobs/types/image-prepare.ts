import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pictureTarget } from '../../../src/jobs/picture-target.ts'
import type { Job } from '../../../src/media/job.ts'
import type { ImagePrepareOptions } from '../../../src/media/job-request.ts'
import type { PreparedPicture, PreparePicture } from '../../../src/media/prepared-picture.ts'
import { NO_USAGE, NOTHING_SAVED } from '../accounts.ts'
import { keepFile, keepJson } from '../keep-output.ts'
import { openInput } from '../open-input.ts'
import type { Finished, JobTools, Processor } from '../processor.ts'

/** `image.prepare`: the picture with the fewest tokens that still shows what matters. */
export const imagePrepare: Processor = {
  async run(job: Job, tools: JobTools, signal: AbortSignal): Promise<Finished> {
    await using input = await openInput(job, tools, signal)
    tools.progress({ stage: 'preparing', done: 0, total: 1 })
    const options = job.options as ImagePrepareOptions
    const prepared = await tools.media.preparePicture(input.path, tools.folder, wish(options, tools), signal)
    const pictures: unknown[] = []
    const files: string[] = []
    for (const [i, { file, mime, width, height, bytes, detail, tokens }] of prepared.pictures.entries()) {
      const output = { part: `picture-${i}`, mime, filename: `picture-${i}.${mime.slice(mime.indexOf('/') + 1)}` }
      const kept = await keepFile(job, tools, join(tools.folder, file), output, signal)
      files.push(kept.id)
      pictures.push({ file_id: kept.id, mime, width, height, bytes, detail, tokens })
    }
    const { text, tokens, untouched, original } = prepared
    const result = await keepJson(job, tools, { pictures, text, tokens, untouched, original }, files, signal)
    const { size } = await stat(input.path)
    return { type: 'finished', result, saved: { ...NOTHING_SAVED, ...savedBy(prepared, size) }, usage: NO_USAGE }
  },
}

/** How a picture is to be prepared for the model of these options. */
export function wish(options: ImagePrepareOptions, { config }: Pick<JobTools, 'config'>): PreparePicture {
  const { min_x_height_px, crop, slices, ocr } = options
  return { target: pictureTarget(config(), options), minXHeight: min_x_height_px, crop, slices, ocr }
}

/** What was left out of a picture, without its price. `bytesIn`: of the file as it came. */
export function savedBy({ original, pictures, text, tokens }: PreparedPicture, bytesIn: number) {
  const sent = pictures.reduce((sum, { bytes }) => sum + bytes, 0) + Buffer.byteLength(text ?? '')
  return { bytesIn, bytesSent: sent, tokensIn: original.tokens, tokensSent: tokens }
}
