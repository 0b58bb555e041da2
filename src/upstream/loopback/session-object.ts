import { z } from 'zod'

type Loose = Record<string, unknown>

const format = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('audio/pcm'), rate: z.literal(24_000).default(24_000) }),
  z.strictObject({ type: z.literal('audio/pcmu') }),
  z.strictObject({ type: z.literal('audio/pcma') }),
])

const detectionCommon = {
  create_response: z.boolean().optional(),
  interrupt_response: z.boolean().optional(),
}
const turnDetection = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('server_vad'),
    threshold: z.number().min(0).max(1).optional(),
    prefix_padding_ms: z.int().min(0).max(5_000).optional(),
    silence_duration_ms: z.int().min(0).max(10_000).optional(),
    idle_timeout_ms: z.int().min(5_000).max(30_000).nullable().optional(),
    ...detectionCommon,
  }),
  z.strictObject({
    type: z.literal('semantic_vad'),
    eagerness: z.enum(['low', 'medium', 'high', 'auto']).optional(),
    ...detectionCommon,
  }),
])

const transcription = z.looseObject({ model: z.string().optional(), language: z.string().optional() })
const input = z.strictObject({
  format: format.optional(),
  noise_reduction: z.looseObject({ type: z.string() }).nullable().optional(),
  transcription: transcription.nullable().optional(),
  turn_detection: turnDetection.nullable().optional(),
})
const output = z.strictObject({
  format: format.optional(),
  voice: z.union([z.string(), z.looseObject({ id: z.string() })]).optional(),
  speed: z.number().min(0.25).max(1.5).optional(),
})
const tool = z.looseObject({ type: z.string(), name: z.string().optional() })
const maxTokens = z.union([z.int().min(1), z.literal('inf')])

/** The `session` of a `session.update`, both kinds. Unknown fields are refused, as the live service does. */
export const SessionUpdate = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('realtime'),
    model: z.string().optional(),
    instructions: z.string().optional(),
    output_modalities: z
      .array(z.enum(['text', 'audio']))
      .length(1)
      .optional(),
    audio: z.strictObject({ input: input.optional(), output: output.optional() }).optional(),
    max_output_tokens: maxTokens.optional(),
    tools: z.array(tool).optional(),
    tool_choice: z.union([z.string(), z.looseObject({ type: z.string() })]).optional(),
    parallel_tool_calls: z.boolean().optional(),
    reasoning: z.looseObject({}).nullable().optional(),
    tracing: z
      .union([z.literal('auto'), z.looseObject({})])
      .nullable()
      .optional(),
    prompt: z.looseObject({}).nullable().optional(),
    truncation: z.union([z.enum(['auto', 'disabled']), z.looseObject({ type: z.string() })]).optional(),
    include: z.array(z.string()).nullable().optional(),
    expires_at: z.number().optional(),
    id: z.string().optional(),
    object: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('transcription'),
    audio: z.strictObject({ input: input.optional() }).optional(),
    include: z.array(z.string()).nullable().optional(),
  }),
])

/** What the session is until told otherwise; the live service's own values (reference: realtime protocol, session object). */
export function initialSession(
  kind: 'realtime' | 'transcription',
  id: string,
  model: string,
  expiresAt: number,
): Loose {
  const detection = {
    type: 'server_vad',
    threshold: 0.5,
    prefix_padding_ms: 300,
    silence_duration_ms: 200,
    idle_timeout_ms: null,
    create_response: true,
    interrupt_response: true,
  }
  const heard = {
    format: { type: 'audio/pcm', rate: 24_000 },
    transcription: kind === 'transcription' ? { model: model === '' ? 'gpt-4o-transcribe' : model } : null,
    noise_reduction: null,
    turn_detection: detection,
  }
  if (kind === 'transcription') {
    const object = 'realtime.transcription_session'
    return { type: kind, object, id, expires_at: expiresAt, audio: { input: heard }, include: null }
  }
  return {
    type: kind,
    object: 'realtime.session',
    id,
    model,
    output_modalities: ['audio'],
    instructions: '',
    tools: [],
    tool_choice: 'auto',
    max_output_tokens: 'inf',
    truncation: 'auto',
    tracing: null,
    prompt: null,
    expires_at: expiresAt,
    audio: {
      input: heard,
      output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: 'alloy', speed: 1 },
    },
    include: null,
  }
}

/**
 * Fields given replace fields held, object by object; a turn detection of another type replaces it whole. The model of the
 * session itself stays what it was at its start; that of its transcription may change.
 */
export function mergeSession(held: Loose, given: Loose): Loose {
  return { ...merge(held, given), model: held.model }
}

function merge(held: Loose, given: Loose): Loose {
  const out: Loose = { ...held }
  for (const [key, value] of Object.entries(given)) {
    const before = out[key]
    const deep = isObject(before) && isObject(value) && (before.type === value.type || !('type' in before))
    if (key === 'turn_detection' && isObject(value)) {
      const base = isObject(before) && before.type === value.type ? before : DETECTION_DEFAULTS[String(value.type)]
      out[key] = { ...base, ...value }
    } else out[key] = deep ? merge(before, value) : value
  }
  return out
}

const DETECTION_DEFAULTS: Record<string, Loose> = {
  server_vad: {
    type: 'server_vad',
    threshold: 0.5,
    prefix_padding_ms: 300,
    silence_duration_ms: 200,
    idle_timeout_ms: null,
    create_response: true,
    interrupt_response: true,
  },
  semantic_vad: { type: 'semantic_vad', eagerness: 'auto', create_response: true, interrupt_response: true },
}

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The parts of the session that the server itself acts on. */
export interface SessionView {
  kind: 'realtime' | 'transcription'
  input: { encoding: 'pcm16'; rate: number } | { encoding: 'pcmu' | 'pcma'; rate: 8_000 }
  bytesPerSecondIn: number
  outputBytesPerSecond: number
  detection: {
    silenceMs: number
    prefixMs: number
    creates: boolean
    interrupts: boolean
    idleMs: number | null
  } | null
  transcriptionModel: string | null
  modality: 'audio' | 'text'
  instructions: string
  tools: Loose[]
  toolChoice: unknown
  maxOutputTokens: number
}

/** Silence, ms, after which each eagerness of `semantic_vad` takes a turn for ended at the latest. */
const EAGERNESS_MS: Record<string, number> = { low: 8_000, medium: 4_000, high: 2_000, auto: 4_000 }

export function viewOf(session: Loose): SessionView {
  const audio = (session.audio ?? {}) as { input?: Loose; output?: Loose }
  const format = (audio.input?.format ?? {}) as Loose
  const outFormat = (audio.output?.format ?? {}) as Loose
  const detection = audio.input?.turn_detection as Loose | null | undefined
  const semantic = detection?.type === 'semantic_vad'
  const encoding = format.type === 'audio/pcmu' ? 'pcmu' : format.type === 'audio/pcma' ? 'pcma' : 'pcm16'
  const max = session.max_output_tokens
  return {
    kind: session.type === 'transcription' ? 'transcription' : 'realtime',
    input: encoding === 'pcm16' ? { encoding, rate: 24_000 } : { encoding, rate: 8_000 },
    bytesPerSecondIn: encoding === 'pcm16' ? 48_000 : 8_000,
    outputBytesPerSecond: outFormat.type === 'audio/pcm' || outFormat.type === undefined ? 48_000 : 8_000,
    detection:
      detection === null || detection === undefined
        ? null
        : {
            silenceMs: semantic
              ? (EAGERNESS_MS[String(detection.eagerness)] ?? 4_000) / 4
              : Number(detection.silence_duration_ms ?? 200),
            prefixMs: Number(detection.prefix_padding_ms ?? 300),
            creates: session.type !== 'transcription' && detection.create_response !== false,
            interrupts: session.type !== 'transcription' && detection.interrupt_response !== false,
            idleMs: typeof detection.idle_timeout_ms === 'number' ? detection.idle_timeout_ms : null,
          },
    transcriptionModel: (audio.input?.transcription as { model?: string } | null | undefined)?.model ?? null,
    modality: (session.output_modalities as string[] | undefined)?.[0] === 'text' ? 'text' : 'audio',
    instructions: String(session.instructions ?? ''),
    tools: (session.tools ?? []) as Loose[],
    toolChoice: session.tool_choice,
    maxOutputTokens: typeof max === 'number' ? max : Number.POSITIVE_INFINITY,
  }
}
