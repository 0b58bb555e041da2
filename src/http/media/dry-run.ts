import { z } from '@hono/zod-openapi'
import { invalid } from '../../invalid-request.ts'
import { fitsKind } from '../../jobs/job-desk.ts'
import { type JobPlan, planJob } from '../../jobs/plan-job.ts'
import { Whole } from '../../jobs/wire.ts'
import type { Job } from '../../media/job.ts'
import { type DescribeOptions, JOB_TYPES, type TranscribeOptions } from '../../media/job-request.ts'
import type { MediaFile } from '../../media/media-file.ts'
import type { Probed } from '../../media/media-tools.ts'
import { dollars } from '../../meter/decimal.ts'
import { blobName, type Storage } from '../../storage/storage.ts'
import type { FileStore } from '../../store/files.ts'
import { nanoUsd } from '../../units.ts'
import type { DropIns } from '../drop-ins/drop-in-deps.ts'
import { estimateDescription, estimateTranscription, MediaEstimateAnswer } from '../media-estimates.ts'
import type { GuardDeps } from './guard.ts'

export interface DryRunDeps extends Pick<GuardDeps, 'config' | 'clock'> {
  storage: Storage
  files: FileStore
  /** Where work on media is done; null on a node that does none, which then plans by what is known of the file. */
  dropIns: Pick<DropIns, 'tools' | 'folders'> | null
}

export const JobPlanView = z
  .object({
    object: z.literal('job_plan'),
    type: z.enum(JOB_TYPES),
    model: z.string().nullable(),
    input_file_id: z.string(),
    input_bytes: Whole,
    audio: z
      .object({
        input_ms: Whole,
        kept_ms: Whole.openapi({ description: 'What is left without silence' }),
        pieces_ms: z.array(Whole).openapi({ description: 'One call for each' }),
        bytes_sent: Whole,
      })
      .nullable()
      .openapi({ description: 'As measured; null where there is no sound, or too much to measure it now' }),
    pictures: z
      .object({
        count: Whole,
        tokens: Whole,
        tokens_without_parley: Whole,
        bytes_sent: Whole,
        sent_as_text: z.boolean(),
      })
      .nullable()
      .openapi({ description: 'As measured' }),
    estimate: MediaEstimateAnswer.nullable().openapi({ description: 'What is bought; null where nothing is' }),
  })
  .openapi('JobPlan')

/** What a job would do and cost, without doing more of it than costs nothing. Throws InvalidRequest. */
export async function dryRun(job: Job, deps: DryRunDeps, signal: AbortSignal): Promise<z.infer<typeof JobPlanView>> {
  if (job.input.file_id === undefined) throw invalid('/input', 'not_supported', 'Only a file can be planned for.')
  const file = await deps.files.read(job.tenant, job.input.file_id)
  if (file === null) throw invalid('/input/file_id', 'not_found', 'There is no such file.')
  if (file.media === null) throw invalid('/input/file_id', 'not_supported', 'Nothing is known of what is in this file.')
  if (!fitsKind(job.type, file.media)) {
    throw invalid('/input/file_id', 'unsupported_media', `A job of this type does not take ${file.mime}.`)
  }
  const plan = await measure(job, file, file.media, deps, signal)
  const { sound, picture } = plan
  const options = job.options as { model?: string | undefined }
  return {
    object: 'job_plan',
    type: job.type,
    model: options.model ?? null,
    input_file_id: file.id,
    input_bytes: file.bytes,
    audio:
      sound === null
        ? null
        : {
            input_ms: Math.round(sound.source),
            kept_ms: Math.round(sound.kept),
            pieces_ms: sound.pieces.map((length) => Math.round(length)),
            bytes_sent: sound.bytes,
          },
    pictures:
      picture === null
        ? null
        : {
            ...{ count: picture.pictures.length, tokens: picture.tokens, bytes_sent: picture.bytes },
            ...{ tokens_without_parley: picture.originalTokens, sent_as_text: picture.isText },
          },
    estimate: await estimate(job, file.media, plan, deps),
  }
}

async function measure(job: Job, file: MediaFile, media: Probed, deps: DryRunDeps, signal: AbortSignal) {
  const { storage, dropIns } = deps
  if (dropIns === null) return { sound: null, picture: null }
  await using folder = await dropIns.folders.open()
  await using local = await storage.local(blobName(file.tenant, file.id))
  const input = { path: local.path, into: await folder.into(), media }
  return await planJob(job, input, { tools: dropIns.tools, config: deps.config() }, signal)
}

/** By what was measured; where nothing was, by what is usual. */
async function estimate(job: Job, media: Probed, { sound, picture }: JobPlan, deps: DryRunDeps) {
  const context = { config: deps.config(), now: deps.clock.now(), tenant: job.tenant, file: async () => null }
  if (job.type === 'audio.transcribe') {
    const { model } = job.options as TranscribeOptions
    const length = sound?.source ?? media.duration
    if (length === null) return null
    const share = sound === null ? USUAL_SPEECH : Math.min(1, sound.kept / Math.max(1, sound.source))
    const seconds = Math.max(0.001, length / 1_000)
    return estimateTranscription({ type: job.type, model, seconds, speech_share: share, count: 1 }, context)
  }
  if (job.type !== 'image.describe' || media.width === null || media.height === null) return null
  if (picture?.isText === true) return null
  const { model, detail, min_x_height_px, max_output_tokens, prompt } = job.options as DescribeOptions
  const asked = {
    ...{ type: job.type, model, detail, min_x_height_px, text_x_height_px: null, count: 1 },
    ...{ prompt_tokens: Math.ceil(prompt.length / LETTERS_PER_TOKEN), output_tokens: max_output_tokens },
  }
  const untouched = await estimateDescription({ ...asked, width: media.width, height: media.height }, context)
  const [only, ...more] = picture?.pictures ?? []
  if (only === undefined || more.length > 0) return untouched
  // Prepared for its text's sake it may be larger than one without any: what is sent is asked about by itself.
  const sent = await estimateDescription({ ...asked, width: only.width, height: only.height }, context)
  const saved = untouched.without_parley.cost.nano - sent.without_parley.cost.nano
  return {
    ...untouched,
    picture:
      sent.picture === null ? null : { ...sent.picture, tokens: only.tokens, width: only.width, height: only.height },
    with_parley: sent.without_parley,
    saved: { nano: saved, usd: dollars(nanoUsd(saved)) },
  }
}

/** What is left of a recording without silence where nobody has measured it. */
const USUAL_SPEECH = 0.7
const LETTERS_PER_TOKEN = 4
