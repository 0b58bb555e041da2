import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { escalationOf } from '../../../src/calls/targets.ts'
import type { Job } from '../../../src/media/job.ts'
import type { DescribeOptions } from '../../../src/media/job-request.ts'
import { tokens } from '../../../src/units.ts'
import { NOTHING_SAVED } from '../accounts.ts'
import { keepJson } from '../keep-output.ts'
import { openInput } from '../open-input.ts'
import type { Finished, JobTools, Processor } from '../processor.ts'
import { billOf, payerOf, savedOn } from './bill.ts'
import { savedBy, wish } from './image-prepare.ts'

/** `image.describe`: what a model sees in a picture that was made as small as it may be. */
export const imageDescribe: Processor = {
  async run(job: Job, tools: JobTools, signal: AbortSignal): Promise<Finished> {
    await using input = await openInput(job, tools, signal)
    const options = job.options as DescribeOptions
    tools.progress({ stage: 'preparing', done: 0, total: 1 })
    const prepared = await tools.media.preparePicture(input.path, tools.folder, wish(options, tools), signal)
    const sums = savedBy(prepared, (await stat(input.path)).size)

    tools.progress({ stage: 'calling', done: 0, total: 1 })
    const model = options.model ?? ''
    const sha256 = createHash('sha256')
    for (const picture of prepared.pictures) sha256.update(picture.sha256)
    sha256.update(prepared.text ?? '')
    const paid = await tools.calls.describe(
      payerOf(job),
      'describe',
      {
        model,
        prompt: options.prompt,
        pictures: prepared.pictures.map(({ file, mime, detail, tokens: each }) => ({
          ...{ path: join(tools.folder, file), mime, detail, tokens: each },
        })),
        text: prepared.text,
        maxOutputTokens: options.max_output_tokens,
        sha256: sha256.digest('hex'),
        escalateTo: escalationOf(tools.config(), model, options.escalate_to),
        leftOut: { pictureTokens: tokens(Math.max(0, sums.tokensIn - sums.tokensSent)) },
      },
      signal,
    )
    const { text, isCut } = paid.answer
    const json = { text, model: paid.model, finish_reason: isCut ? 'length' : 'stop' }
    const bill = billOf(paid)
    const { calls, cost, estimated } = bill
    return {
      type: 'finished',
      result: await keepJson(job, tools, json, [], signal),
      saved: { ...NOTHING_SAVED, ...sums, ...savedOn(bill) },
      usage: { calls, cost, estimated },
    }
  },
}
