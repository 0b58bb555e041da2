import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { Paid } from '../../calls/media-calls.ts'
import type { TranscriptionAnswer } from '../../calls/media-provider.ts'
import { targetsOf } from '../../calls/targets.ts'
import { FAULTS, type Fault, FaultError, publicCode, toFault } from '../../faults.ts'
import { renderTranscript, type TranscriptUsage } from '../../media/audio/render-transcript.ts'
import { dollars } from '../../meter/decimal.ts'
import { tokensIn, tokensOut } from '../../meter/usage.ts'
import { type NanoUsd, nanoUsd } from '../../units.ts'
import { type DropInDeps, PREPARE_HEADER } from './drop-in-deps.ts'
import { type Heard, hear } from './recording.ts'
import { readTranscriptionForm, TRANSCRIPTION_FORMATS, type TranscriptionForm } from './transcription-form.ts'

/** OpenAI's path, and Azure's for the same. */
export const TRANSCRIPTION_PATHS = ['/v1/audio/transcriptions', '/openai/v1/audio/transcriptions'] as const

/** Q2: OpenAI's transcription endpoint, in its own shapes. */
export function transcriptionRoutes(app: OpenAPIHono, deps: DropInDeps): void {
  app.openAPIRegistry.registerPath({ ...DOCUMENT, path: TRANSCRIPTION_PATHS[0] })
  for (const path of TRANSCRIPTION_PATHS) app.post(path, (c) => transcribe(c, deps))
}

async function transcribe(c: Context, deps: DropInDeps): Promise<Response> {
  const { principal, requestId } = c.var
  const { config, clock, dropIns } = deps
  const { largest } = config().media.uploads
  const folder = await dropIns.folders.open()
  let isKept = false
  try {
    const body = c.req.raw.body
    const form = await readTranscriptionForm(c.req.header('content-type'), body, folder, largest)
    const [target] = targetsOf(config(), principal.tenant, form.model, 'transcription', clock.now())
    if (target === undefined) throw new FaultError('upstream_unavailable', 'The model has no provider.')
    const { tenant, keyId } = principal
    const payer = { tenant, keyId, user: null, job: requestId, maxCost: null, ...keepOf(c) }
    const trims = c.req.header(PREPARE_HEADER) !== 'off'
    const order = { payer, form, target, folder, trims, onText: null }
    const isStreamed = form.stream && !form.model.startsWith('whisper')
    if (!isStreamed) return answer(c, form, await hear({ ...dropIns, config }, order, c.req.raw.signal))
    isKept = true
    return streamSSE(c, async (stream) => {
      await using _folder = folder
      const tell = (event: Record<string, unknown>) => stream.writeSSE({ data: JSON.stringify(event) })
      try {
        const onText = (delta: string) => void tell({ type: 'transcript.text.delta', delta })
        const heard = await hear({ ...dropIns, config }, { ...order, onText }, c.req.raw.signal)
        for (const event of lastEvents(form, heard)) await tell(event)
      } catch (error) {
        await tell({ error: errorBody(error) })
      }
    })
  } finally {
    if (!isKept) await folder[Symbol.asyncDispose]()
  }
}

/** Who wants nothing kept says so as HTTP has it. */
const keepOf = (c: Context) => (/\bno-store\b/.test(c.req.header('cache-control') ?? '') ? { keep: 0 as never } : {})

function answer(c: Context, form: TranscriptionForm, heard: Heard): Response {
  const { paid, transcript } = heard
  c.header('X-Parley-Cost-Usd', dollars(sumOf(paid.map(({ cost }) => cost))))
  c.header('X-Parley-Saved-Usd', dollars(sumOf(paid.flatMap(({ savings }) => savings.map(({ saved }) => saved)))))
  const usage = usageOf(paid)
  const { timestamps } = form
  const options = { usage, ...(timestamps.length === 0 ? {} : { timestamps }) }
  const rendered = renderTranscript(transcript, form.format, options)
  if (rendered.kind === 'text') return c.body(rendered.text, 200, { 'Content-Type': rendered.mime })
  const logprobs = form.logprobs && form.format === 'json' ? { logprobs: logprobsOf(paid) } : {}
  return c.json({ ...(rendered.json as object), ...logprobs })
}

function lastEvents(form: TranscriptionForm, { transcript, paid }: Heard): Record<string, unknown>[] {
  const segments =
    form.format !== 'diarized_json'
      ? []
      : (renderTranscript(transcript, 'diarized_json') as { json: { segments: Record<string, unknown>[] } }).json
          .segments
  const logprobs = form.logprobs ? { logprobs: logprobsOf(paid) } : {}
  return [...segments, { type: 'transcript.text.done', text: transcript.text, ...logprobs, usage: usageOf(paid) }]
}

const logprobsOf = (paid: readonly Paid<TranscriptionAnswer>[]) => paid.flatMap(({ answer }) => answer.logprobs ?? [])

const sumOf = (amounts: readonly NanoUsd[]): NanoUsd => nanoUsd(amounts.reduce((sum, amount) => sum + amount, 0))

/** What the provider counted, over all pieces, in its own shape. */
function usageOf(paid: readonly Paid<TranscriptionAnswer>[]): TranscriptUsage {
  const used = paid.flatMap(({ answer }) => answer.usage ?? [])
  const read = used.reduce((sum, usage) => sum + tokensIn(usage), 0)
  if (read === 0) return { type: 'duration', seconds: used.reduce((sum, { audioMs }) => sum + audioMs, 0) / 1_000 }
  const written = used.reduce((sum, usage) => sum + tokensOut(usage), 0)
  const text = used.reduce((sum, usage) => sum + usage.in.text, 0)
  return {
    ...{ type: 'tokens', input_tokens: read, output_tokens: written, total_tokens: read + written },
    input_token_details: { text_tokens: text, audio_tokens: read - text },
  }
}

/** An error inside a stream that has begun, in OpenAI's shape. */
function errorBody(error: unknown): Record<string, unknown> {
  const fault = toFault(error)
  const { type } = FAULTS[fault.code] as Fault
  return { message: fault.message, type, param: fault.param, code: publicCode(fault.code) }
}

const text = { type: 'string' } as const

/** For the document alone: the form is read as it comes. */
const DOCUMENT = {
  method: 'post',
  summary: "Transcribe a recording, as OpenAI's endpoint does: silence is left out, times are those of the recording",
  request: {
    body: {
      required: true,
      content: {
        'multipart/form-data': {
          schema: {
            type: 'object',
            required: ['file', 'model'],
            properties: {
              file: { type: 'string', format: 'binary' },
              model: text,
              ...{ language: text, prompt: text, temperature: { type: 'number', minimum: 0, maximum: 1 } },
              response_format: { type: 'string', enum: [...TRANSCRIPTION_FORMATS], default: 'json' },
              'timestamp_granularities[]': { type: 'array', items: { type: 'string', enum: ['word', 'segment'] } },
              'include[]': { type: 'array', items: { type: 'string', enum: ['logprobs'] } },
              stream: { type: 'boolean', default: false },
            },
          },
        },
      },
    } as never,
  },
  responses: {
    200: {
      description: 'The transcript in the format asked for',
      content: {
        'application/json': { schema: { type: 'object' } },
        'text/plain': { schema: text },
        'text/event-stream': { schema: text },
      },
    },
  },
} as const
