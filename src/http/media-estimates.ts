import { z } from '@hono/zod-openapi'
import { targetsOf } from '../calls/targets.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import { pieceLimits } from '../media/audio/piece-limits.ts'
import {
  estimatePictures,
  estimateRecording,
  type MediaEstimate,
  type MediaSide,
  WORDS_PER_SECOND_TOKENS,
} from '../media/estimate.ts'
import type { MediaFile } from '../media/media-file.ts'
import { dollars } from '../meter/decimal.ts'
import type { PriceRow } from '../meter/price-row.ts'
import { tokensIn, tokensOut } from '../meter/usage.ts'
import { type Instant, ms, nanoUsd } from '../units.ts'
import { PriceRowView, priceRowView } from './prices.ts'

const MOST_FILES = 100_000
const fileId = z.string().max(64).optional().openapi({ description: 'A file of yours, in place of the numbers' })
const model = z.string().min(1).max(200).optional().openapi({ description: "Left out: the policy file's own" })
const many = z.int().min(1).max(MOST_FILES).default(1).openapi({ description: 'How many of the kind' })

export const TranscribeEstimateRequest = z
  .strictObject({
    type: z.literal('audio.transcribe'),
    model,
    file_id: fileId,
    seconds: z.number().positive().max(43_200).optional(),
    speech_share: z.number().min(0).max(1).default(0.7).openapi({ description: 'What is left without silence' }),
    count: many,
  })
  .openapi('TranscribeEstimateRequest')

const side = z.int().min(1).max(100_000)
export const DescribeEstimateRequest = z
  .strictObject({
    type: z.literal('image.describe'),
    model,
    file_id: fileId,
    width: side.optional(),
    height: side.optional(),
    detail: z.enum(['auto', 'low', 'high', 'original']).default('auto'),
    text_x_height_px: z.number().min(1).max(1_000).nullable().default(null).openapi({
      description: 'Height of an x in the small text, px of the picture; null where there is none',
    }),
    min_x_height_px: z.int().min(5).max(40).default(8),
    prompt_tokens: z.int().min(0).max(100_000).default(20),
    output_tokens: z.int().min(0).max(100_000).default(200),
    count: many,
  })
  .openapi('DescribeEstimateRequest')

const Money = z.object({ nano: z.int(), usd: z.string() })
const Side = z.object({
  requests: z.int(),
  audio_seconds: z.number(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  cost: Money,
})

export const MediaEstimateAnswer = z
  .object({
    object: z.literal('parley.media_estimate'),
    type: z.enum(['audio.transcribe', 'image.describe']),
    model: z.string(),
    provider: z.string(),
    provider_model: z.string(),
    count: z.int(),
    picture: z
      .object({
        tokens: z.int(),
        tokens_without_parley: z.int(),
        width: z.int(),
        height: z.int(),
        detail: z.string(),
      })
      .nullable()
      .openapi({ description: 'One picture as it would be sent' }),
    with_parley: Side,
    without_parley: Side,
    saved: Money,
    price_rows: z.array(PriceRowView),
    assumptions: z.array(z.string()),
  })
  .openapi('MediaEstimate')
type Answer = z.infer<typeof MediaEstimateAnswer>

export interface MediaEstimateDeps {
  config: Config
  now: Instant
  /** Whose plan it is; null for the operator. */
  tenant: string | null
  /** A file of the tenant's; null where there is none by that id. */
  file(id: string): Promise<MediaFile | null>
}

/** M5: what a recording would cost. */
export async function estimateTranscription(
  request: z.infer<typeof TranscribeEstimateRequest>,
  deps: MediaEstimateDeps,
): Promise<Answer> {
  const target = targetFor(deps, request.model, 'transcription')
  const { row, config: provider } = target
  const fromFile = (await fileOf(deps, request))?.media?.duration
  const length = fromFile ?? (request.seconds === undefined ? null : ms(Math.round(request.seconds * 1_000)))
  if (length === null || length === undefined) throw either('seconds', 'file_id')
  const host = 'baseUrl' in provider ? new URL(provider.baseUrl).hostname : null
  const limits = pieceLimits({ type: provider.type, host, model: target.model })
  const speechMilli = Math.round(request.speech_share * 1_000)
  const estimate = estimateRecording({ length, speechMilli }, limits, row)
  return {
    ...common(request.type, target, estimate, request.count),
    picture: null,
    assumptions: [
      `${Math.round(request.speech_share * 100)} % of each recording is left when silence is out.`,
      `A request holds at most ${limits.duration / 1_000} s.`,
      ...(tokensOut(estimate.prepared.usage) > 0
        ? [`A second of speech becomes ${WORDS_PER_SECOND_TOKENS} tokens of text.`]
        : []),
      ...minimum(row),
    ],
  }
}

/** M5: what pictures would cost. */
export async function estimateDescription(
  request: z.infer<typeof DescribeEstimateRequest>,
  deps: MediaEstimateDeps,
): Promise<Answer> {
  const target = targetFor(deps, request.model, 'vision')
  const { media } = (await fileOf(deps, request)) ?? {}
  const width = media?.width ?? request.width
  const height = media?.height ?? request.height
  if (width === undefined || width === null || height === undefined || height === null)
    throw either('width and height', 'file_id')
  const estimate = estimatePictures(
    {
      ...{ count: 1, width, height, xHeight: request.text_x_height_px, minXHeight: request.min_x_height_px },
      ...{ prompt: request.prompt_tokens, answer: request.output_tokens },
    },
    // Loopback plays OpenAI's models.
    {
      provider: target.config.type === 'loopback' ? 'openai' : target.config.type,
      model: target.model,
      detail: request.detail,
    },
    target.row,
    deps.now,
  )
  if (estimate === null) throw new FaultError('media_refused', 'The model takes a picture of this size in no way.')
  return {
    ...common(request.type, target, estimate, request.count),
    picture: {
      tokens: estimate.tokens,
      tokens_without_parley: estimate.untouchedTokens,
      ...estimate.sent,
    },
    assumptions: [
      request.text_x_height_px === null
        ? 'The pictures hold no text that must stay legible.'
        : `Their small text stays at an x-height of ${request.min_x_height_px} px.`,
      'No border is cropped.',
    ],
  }
}

type Target = ReturnType<typeof targetsOf>[number] & { asked: string }

function targetFor(
  { config, tenant, now }: MediaEstimateDeps,
  asked: string | undefined,
  kind: 'transcription' | 'vision',
): Target {
  const first = [...config.models].find(([, served]) => served.kind === kind)?.[0]
  const name = asked ?? config.media.models[kind] ?? first
  if (name === undefined)
    throw new FaultError('model_not_found', 'No model of that kind is served here.', { param: 'model' })
  const [target] = targetsOf(config, tenant, name, kind, now)
  if (target === undefined) throw new FaultError('model_not_found', 'The model has no provider.', { param: 'model' })
  return { ...target, asked: name }
}

async function fileOf(
  { file }: MediaEstimateDeps,
  { file_id }: { file_id?: string | undefined },
): Promise<MediaFile | null> {
  if (file_id === undefined) return null
  const found = await file(file_id)
  if (found === null) throw new FaultError('not_found', 'There is no such file.', { param: 'file_id' })
  if (found.media === null)
    throw new FaultError('unsupported_media', 'Nothing is known of what is in this file.', { param: 'file_id' })
  return found
}

function common(type: Answer['type'], target: Target, { prepared, untouched }: MediaEstimate, count: number) {
  const saved = (untouched.nano - prepared.nano) * count
  return {
    ...{ object: 'parley.media_estimate' as const, type, count },
    ...{ model: target.asked, provider: target.provider, provider_model: target.model },
    ...{ with_parley: times(prepared, count), without_parley: times(untouched, count), saved: money(saved) },
    price_rows: [priceRowView(target.row)],
  }
}

function times({ requests, usage, nano }: MediaSide, count: number): z.infer<typeof Side> {
  return {
    requests: requests * count,
    audio_seconds: (usage.audioMs * count) / 1_000,
    input_tokens: tokensIn(usage) * count,
    output_tokens: tokensOut(usage) * count,
    cost: money(nano * count),
  }
}

const money = (nano: number) => ({ nano: nanoUsd(nano), usd: dollars(nanoUsd(nano)) })

const minimum = ({ billing }: PriceRow): string[] =>
  billing.minimum > 0 ? [`Each request is billed as ${billing.minimum / 1_000} s at least.`] : []

const either = (a: string, b: string) =>
  new FaultError('invalid_request', `Give either '${a}' or '${b}'.`, { param: a.split(' ')[0] as string })
