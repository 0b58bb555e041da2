import { z } from 'zod'

export const JOB_TYPES = [
  'audio.transcribe',
  'audio.prepare',
  'image.describe',
  'image.prepare',
  'video.audio',
  'video.frames',
] as const
export type JobType = (typeof JOB_TYPES)[number]

/** Largest `data` of an input once decoded, bytes. */
export const MOST_INLINE_BYTES = 256 * 1_024

const FileId = z.string().regex(/^file_[0-9a-z]{26}$/, 'expected the id of a file')

/** Exactly one of the three. A URL is fetched by a worker through the guarded fetcher. */
export const JobInput = z
  .strictObject({
    file_id: FileId.optional(),
    url: z.string().max(2_048).optional(),
    data: z
      .base64()
      .max(Math.ceil(MOST_INLINE_BYTES / 3) * 4)
      .optional(),
  })
  .refine((input) => Object.values(input).filter((value) => value !== undefined).length === 1, {
    message: 'exactly one of file_id, url and data',
  })
export type JobInput = z.infer<typeof JobInput>

const ms = (least: number, most: number) => z.int().min(least).max(most)

export const TrimOptions = z.strictObject({
  enabled: z.boolean().default(true),
  /** Pauses shorter than this stay, ms. */
  min_gap_ms: ms(300, 60_000).default(300),
  /** Kept on both sides of speech, ms. */
  padding_ms: ms(100, 2_000).default(250),
  /** `auto` takes the model where it can run. */
  engine: z.enum(['auto', 'silero', 'webrtc']).default('auto'),
})

export const SegmentOptions = z.strictObject({
  /** Left out: what the model allows. */
  max_ms: ms(10_000, 3_600_000).optional(),
  format: z.enum(['auto', 'flac', 'opus']).default('auto'),
})

const audio = { trim_silence: TrimOptions.prefault({}), segment: SegmentOptions.prefault({}) }

export const TranscribeOptions = z.strictObject({
  ...audio,
  model: z.string().min(1).max(200).optional(),
  /** Asked in place of `model` where its answer shows little confidence. */
  escalate_to: z.string().min(1).max(200).nullable().optional(),
  language: z
    .string()
    .regex(/^[a-z]{2,3}(-[A-Za-z]{2,4})?$/, 'expected a language such as en')
    .optional(),
  prompt: z.string().max(4_000).optional(),
  temperature: z.number().min(0).max(1).optional(),
  /** `word` and `segment` need a model that gives time stamps. */
  timestamps: z.array(z.enum(['word', 'segment'])).default(['segment']),
  response_format: z.enum(['json', 'text', 'srt', 'vtt', 'verbose_json', 'diarized_json']).default('json'),
})
export type TranscribeOptions = z.infer<typeof TranscribeOptions>

export const AudioPrepareOptions = z.strictObject({ ...audio, model: z.string().min(1).max(200).optional() })
export type AudioPrepareOptions = z.infer<typeof AudioPrepareOptions>

const picture = {
  model: z.string().min(1).max(200).optional(),
  detail: z.enum(['auto', 'low', 'high', 'original']).default('auto'),
  /** Text must stay legible at this x-height, px; 10 where money or identifiers matter. */
  min_x_height_px: z.int().min(5).max(40).default(8),
  crop: z.boolean().default(true),
  slices: z.boolean().default(false),
  /** Plain pages of text are read here and sent as text. */
  ocr: z.boolean().default(false),
}

export const DescribeOptions = z.strictObject({
  ...picture,
  escalate_to: z.string().min(1).max(200).nullable().optional(),
  prompt: z.string().max(8_000).default('Describe this picture.'),
  max_output_tokens: z.int().min(1).max(32_000).default(500),
})
export type DescribeOptions = z.infer<typeof DescribeOptions>

export const ImagePrepareOptions = z.strictObject(picture)
export type ImagePrepareOptions = z.infer<typeof ImagePrepareOptions>

export const VideoAudioOptions = z.strictObject({ format: z.enum(['flac', 'opus']).default('flac') })
export type VideoAudioOptions = z.infer<typeof VideoAudioOptions>

export const VideoFramesOptions = z.strictObject({
  ...picture,
  max_frames: z.int().min(1).max(500).default(100),
})
export type VideoFramesOptions = z.infer<typeof VideoFramesOptions>

export const OPTIONS = {
  'audio.transcribe': TranscribeOptions,
  'audio.prepare': AudioPrepareOptions,
  'image.describe': DescribeOptions,
  'image.prepare': ImagePrepareOptions,
  'video.audio': VideoAudioOptions,
  'video.frames': VideoFramesOptions,
} as const satisfies Record<JobType, z.ZodType>

export type JobOptions =
  | TranscribeOptions
  | AudioPrepareOptions
  | DescribeOptions
  | ImagePrepareOptions
  | VideoAudioOptions
  | VideoFramesOptions

export const WebhookWish = z.strictObject({
  url: z.url().max(2_048),
  events: z
    .array(z.enum(['job.queued', 'job.started', 'job.succeeded', 'job.failed', 'job.canceled', 'job.expired']))
    .min(1)
    .optional(),
})
export type WebhookWish = z.infer<typeof WebhookWish>

const common = {
  input: JobInput,
  user: z.string().max(128).optional(),
  priority: z.enum(['standard', 'low']).default('standard'),
  run_at: z.iso.datetime({ offset: true }).nullable().default(null),
  expires_after_ms: ms(1_000, 7 * 86_400_000).default(86_400_000),
  webhook: WebhookWish.nullable().default(null),
  retention: z
    .strictObject({
      input_ms: ms(0, 30 * 86_400_000).default(0),
      output_ms: ms(0, 30 * 86_400_000).default(86_400_000),
    })
    .prefault({}),
  max_cost_usd_nanos: z.int().min(0).nullable().default(null),
  metadata: z
    .record(z.string().min(1).max(64), z.string().max(512))
    .refine((pairs) => Object.keys(pairs).length <= 16, 'at most 16 pairs')
    .default({}),
  dry_run: z.boolean().default(false),
}

const of = <T extends JobType, O extends z.ZodType>(type: T, options: O) =>
  z.strictObject({ type: z.literal(type), options, ...common })

/** The body of `POST /v1/jobs`, and of a batch's line. */
export const JobRequest = z.discriminatedUnion('type', [
  of('audio.transcribe', TranscribeOptions.prefault({})),
  of('audio.prepare', AudioPrepareOptions.prefault({})),
  of('image.describe', DescribeOptions.prefault({})),
  of('image.prepare', ImagePrepareOptions.prefault({})),
  of('video.audio', VideoAudioOptions.prefault({})),
  of('video.frames', VideoFramesOptions.prefault({})),
])
export type JobRequest = z.infer<typeof JobRequest>
