import { createHash } from 'node:crypto'
import { tokensOf } from '../../../media/picture/tokens-of.ts'
import { type Instant, instant } from '../../../units.ts'
import { newId } from '../loopback-session.ts'
import { textTokens } from '../usage.ts'
import { pictureSize } from './picture-size.ts'
import { type HttpFault, type Reply, refused } from './reply.ts'

type Loose = Record<string, unknown>

interface Picture {
  bytes: Buffer
  width: number
  height: number
  format: string
  tokens: number
}

/** What both doors ask of a model. */
interface Question {
  model: string
  text: string
  pictures: Picture[]
  most: number
}

const SAY = /\bsay:\s*(.+)$/is
const DETAILS = ['auto', 'low', 'high', 'original'] as const
const USUAL_MOST = 16_000
const DELTA_CHARACTERS = 24

/** `POST /v1/chat/completions` with pictures; answers describe what the bytes themselves say. */
export function complete(body: Loose, fault: HttpFault, now: Instant): Reply {
  const parts = listOf(body.messages).flatMap((message) => partsOf((message as Loose).content))
  const question = read(body, parts, [body.max_completion_tokens, body.max_tokens], now)
  if ('type' in question) return question
  const { text, isCut } = answerTo(question, fault)
  const prompt_tokens = inputTokens(question)
  const completion_tokens = textTokens(text)
  const usage = {
    ...{ prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  }
  const bill = { model: question.model, usage }
  const id = newId('chatcmpl')
  const about = { id, created: Math.floor(now / 1_000), model: question.model }
  const finish_reason = isCut ? 'length' : 'stop'
  if (body.stream === true) {
    const chunk = (choices: Loose[], more: Loose = {}) => ({
      ...about,
      object: 'chat.completion.chunk',
      choices,
      ...more,
    })
    const asked = (body.stream_options as Loose | undefined)?.include_usage === true
    const none = asked ? { usage: null } : {}
    const deltas = pieces(text).map((content, i) => {
      const delta = i === 0 ? { role: 'assistant', content } : { content }
      return chunk([{ index: 0, delta, finish_reason: null }], none)
    })
    const last = chunk([{ index: 0, delta: {}, finish_reason }], none)
    const told = asked && fault.missingUsage === undefined ? [chunk([], { usage })] : []
    return { type: 'events', events: [...deltas, last, ...told], isEnded: true, bill }
  }
  const logprob = fault.unsure === undefined && !/\bunsure\b/.test(question.text) ? -0.1 : -1.2
  const logprobs = body.logprobs === true ? { logprobs: { content: [{ token: text, logprob, bytes: null }] } } : {}
  const message = { role: 'assistant', content: text, refusal: null }
  return {
    type: 'json',
    body: {
      ...{ ...about, object: 'chat.completion', choices: [{ index: 0, message, finish_reason, ...logprobs }] },
      ...(fault.missingUsage === undefined ? { usage } : {}),
    },
    bill,
  }
}

/** `POST /v1/responses`: the same in the shape of the newer interface. */
export function respond(body: Loose, fault: HttpFault, now: Instant): Reply {
  const input = typeof body.input === 'string' ? [{ content: body.input }] : listOf(body.input)
  const parts = input.flatMap((item) => partsOf((item as Loose).content))
  const question = read(body, parts, [body.max_output_tokens], now)
  if ('type' in question) return question
  const { text, isCut } = answerTo(question, fault)
  const input_tokens = inputTokens(question)
  const output_tokens = textTokens(text)
  const usage = {
    ...{ input_tokens, output_tokens, total_tokens: input_tokens + output_tokens },
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  }
  const bill = { model: question.model, usage }
  const item = (content: Loose[], status: string) => ({
    id: itemId,
    type: 'message',
    role: 'assistant',
    status,
    content,
  })
  const [responseId, itemId] = [newId('resp'), newId('msg')]
  const response = (status: string, output: Loose[], told: Loose | null) => ({
    ...{
      id: responseId,
      object: 'response',
      created_at: Math.floor(now / 1_000),
      model: question.model,
      status,
      output,
    },
    incomplete_details: isCut && status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    usage: told,
  })
  const part = { type: 'output_text', text, annotations: [] }
  const end = isCut ? 'incomplete' : 'completed'
  const final = response(end, [item([part], end)], fault.missingUsage === undefined ? usage : null)
  if (body.stream !== true) return { type: 'json', body: final, bill }
  const at = { item_id: itemId, output_index: 0, content_index: 0 }
  const events: Loose[] = [
    { type: 'response.created', response: response('in_progress', [], null) },
    { type: 'response.in_progress', response: response('in_progress', [], null) },
    { type: 'response.output_item.added', output_index: 0, item: item([], 'in_progress') },
    { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
    ...pieces(text).map((delta) => ({ type: 'response.output_text.delta', ...at, delta })),
    { type: 'response.output_text.done', ...at, text },
    { type: 'response.content_part.done', ...at, part },
    { type: 'response.output_item.done', output_index: 0, item: item([part], end) },
    { type: `response.${end}`, response: final },
  ]
  const numbered = events.map((event, sequence_number) => ({ ...event, sequence_number }))
  return { type: 'events', events: numbered, named: true, bill }
}

function read(body: Loose, parts: Loose[], limits: unknown[], now: Instant): Question | Reply {
  const { model } = body
  if (typeof model !== 'string' || model === '')
    return refused(400, 'missing_required_parameter', "Missing required parameter: 'model'.", 'model')
  const pictures: Picture[] = []
  for (const { url, detail } of parts.flatMap(imageOf)) {
    const bytes = dataOf(url)
    const size = bytes === null ? null : pictureSize(bytes)
    if (bytes === null || size === null)
      return refused(400, 'invalid_image_format', 'You uploaded an unsupported image.', 'image_url')
    const known = DETAILS.find((name) => name === detail) ?? 'auto'
    const { tokens } = tokensOf({ provider: 'openai', model, detail: known }, size.width, size.height, instant(now))
    pictures.push({ bytes, ...size, tokens: tokens ?? 0 })
  }
  const text = parts.map((part) => (typeof part.text === 'string' ? part.text : '')).join('\n')
  const most = limits.find((limit) => typeof limit === 'number')
  return { model, text, pictures, most: typeof most === 'number' ? most : USUAL_MOST }
}

function answerTo({ text, pictures, most }: Question, fault: HttpFault): { text: string; isCut: boolean } {
  const seen = pictures.map(({ bytes, width, height, format }) => {
    const print = createHash('sha256').update(bytes).digest('hex').slice(0, 8)
    return `A ${format} picture of ${width} by ${height} pixels, ${bytes.length} bytes, print ${print}.`
  })
  const whole = SAY.exec(text)?.[1]?.trim() ?? (seen.join(' ') || `It read ${text.length} characters.`)
  const fits = Math.min(most * 4, fault.cut === undefined ? whole.length : Math.ceil(whole.length / 2))
  return { text: whole.slice(0, fits), isCut: fits < whole.length && fault.cut === undefined }
}

const inputTokens = ({ text, pictures }: Question): number =>
  3 + textTokens(text) + pictures.reduce((sum, { tokens }) => sum + tokens, 0)

const partsOf = (content: unknown): Loose[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : (listOf(content) as Loose[])

/** `image_url` of a chat's part is an object, of a response's a string. */
function imageOf({ type, image_url, detail }: Loose): { url: unknown; detail: unknown }[] {
  if (type === 'input_image') return [{ url: image_url, detail }]
  const { url, detail: own } = (image_url ?? {}) as Loose
  return type === 'image_url' ? [{ url, detail: own }] : []
}

function dataOf(url: unknown): Buffer | null {
  const match = typeof url === 'string' ? /^data:image\/[a-z+]+;base64,/.exec(url) : null
  return match === null ? null : Buffer.from(String(url).slice(match[0].length), 'base64')
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

function pieces(text: string): string[] {
  const count = Math.max(1, Math.ceil(text.length / DELTA_CHARACTERS))
  return Array.from({ length: count }, (_, i) => text.slice(i * DELTA_CHARACTERS, (i + 1) * DELTA_CHARACTERS))
}
