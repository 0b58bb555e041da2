import { z } from '@hono/zod-openapi'
import { invalid } from '../../invalid-request.ts'
import { fitsKind } from '../../jobs/job-desk.ts'
import { type JobPlan, planJob } from '../../jobs/plan-job.ts'
import { Whole } from '../../jobs/wire.ts'
import type { Job } from '../../media/job.ts'
import { type DescribeOptions, JOB_TYPES, type TranscribeOptions } from '../../media/job-request.ts'
import type { Probed } from '../../media/media-tools.ts'
import { dollars } from '../../meter/decimal.ts'
import { nanoUsd } from '../../units.ts'
import { estimateDescription, estimateTranscription, MediaEstimateAnswer } from '../media-estimates.ts'
import type { GuardDeps } from './guard.ts'
import { type PlannedInput, type PlannedInputDeps, withPlannedInput } from './planned-input.ts'

export interface DryRunDeps extends PlannedInputDeps, Pick<GuardDeps, 'clock'> {}

export const JobPlanView = z
  .object({
    object: z.literal('job_plan'),
    type: z.enum(JOB_TYPES),
    model: z.string().nullable(),
    input_file_id: z.string().nullable(),
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
export function dryRun(job: Job, deps: DryRunDeps, signal: AbortSignal): Promise<z.infer<typeof JobPlanView>> {
  return withPlannedInput(job, deps, signal, async (input) => {
    const { media, mime, pointer } = input
    if (!fitsKind(job.type, media)) {
      throw invalid(pointer, 'unsupported_media', `A job of this type does not take ${mime}.`)
    }
    const plan = await measure(job, input, deps, signal)
    return planView(job, input, plan, await estimate(job, media, plan, deps))
  })
}

async function measure(job: Job, { work, media }: PlannedInput, deps: DryRunDeps, signal: AbortSignal) {
  if (work === null || deps.dropIns === null) return { sound: null, picture: null }
  return await planJob(job, { ...work, media }, { tools: deps.dropIns.tools, config: deps.config() }, signal)
}

function planView(
  { type, options }: Job,
  { fileId, bytes }: PlannedInput,
  { sound, picture }: JobPlan,
  estimated: Awaited<ReturnType<typeof estimate>>,
): z.infer<typeof JobPlanView> {
  const { model = null } = options as { model?: string | undefined }
  const audio = sound && {
    input_ms: Math.round(sound.source),
    kept_ms: Math.round(sound.kept),
    pieces_ms: sound.pieces.map((length) => Math.round(length)),
    bytes_sent: sound.bytes,
  }
  const pictures = picture && {
    ...{ count: picture.pictures.length, tokens: picture.tokens, bytes_sent: picture.bytes },
    ...{ tokens_without_parley: picture.originalTokens, sent_as_text: picture.isText },
  }
  return {
    ...{ object: 'job_plan', type, model, input_file_id: fileId, input_bytes: bytes },
    ...{ audio, pictures, estimate: estimated },
  }
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
