import { z } from 'zod'
import { SessionUpdate } from './session-object.ts'

const eventId = { event_id: z.string().max(512).optional() }
const part = z.looseObject({ type: z.string() })
const itemId = z.string().max(64).optional()

/** An item that a caller may create. */
export const NewItem = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('message'),
    id: itemId,
    role: z.enum(['system', 'user', 'assistant']),
    content: z.array(part),
  }),
  z.looseObject({
    type: z.literal('function_call'),
    id: itemId,
    name: z.string(),
    arguments: z.string(),
    call_id: z.string().optional(),
  }),
  z.looseObject({ type: z.literal('function_call_output'), id: itemId, call_id: z.string(), output: z.string() }),
])
export type NewItem = z.infer<typeof NewItem>

/** Overrides of one response. */
export const ResponseOptions = z.strictObject({
  conversation: z.enum(['auto', 'none']).optional(),
  input: z.array(z.union([NewItem, z.looseObject({ type: z.literal('item_reference'), id: z.string() })])).optional(),
  instructions: z.string().optional(),
  output_modalities: z
    .array(z.enum(['text', 'audio']))
    .length(1)
    .optional(),
  audio: z.looseObject({}).optional(),
  max_output_tokens: z.union([z.int().min(1), z.literal('inf')]).optional(),
  metadata: z.record(z.string(), z.string()).nullable().optional(),
  tools: z.array(z.looseObject({ type: z.string() })).optional(),
  tool_choice: z.union([z.string(), z.looseObject({ type: z.string() })]).optional(),
  parallel_tool_calls: z.boolean().optional(),
  reasoning: z.looseObject({}).nullable().optional(),
  prompt: z.looseObject({}).nullable().optional(),
})
export type ResponseOptions = z.infer<typeof ResponseOptions>

/** Every event a GA client may send (reference: realtime protocol, client events). */
export const ClientEvent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('session.update'), ...eventId, session: SessionUpdate }),
  z.strictObject({ type: z.literal('input_audio_buffer.append'), ...eventId, audio: z.string() }),
  z.strictObject({ type: z.literal('input_audio_buffer.commit'), ...eventId }),
  z.strictObject({ type: z.literal('input_audio_buffer.clear'), ...eventId }),
  z.strictObject({
    type: z.literal('conversation.item.create'),
    ...eventId,
    item: NewItem,
    previous_item_id: z.string().nullable().optional(),
  }),
  z.strictObject({ type: z.literal('conversation.item.retrieve'), ...eventId, item_id: z.string() }),
  z.strictObject({ type: z.literal('conversation.item.delete'), ...eventId, item_id: z.string() }),
  z.strictObject({
    type: z.literal('conversation.item.truncate'),
    ...eventId,
    item_id: z.string(),
    content_index: z.int().min(0),
    audio_end_ms: z.int().min(0),
  }),
  z.strictObject({ type: z.literal('response.create'), ...eventId, response: ResponseOptions.nullable().optional() }),
  z.strictObject({ type: z.literal('response.cancel'), ...eventId, response_id: z.string().optional() }),
  z.strictObject({ type: z.literal('output_audio_buffer.clear'), ...eventId }),
])
export type ClientEvent = z.infer<typeof ClientEvent>

/** Why an event was refused, in the service's own words. */
export interface Refusal {
  code: string
  message: string
  param: string | null
}

/** Parses an event, or says what is wrong with it as the live service would. */
export function readClientEvent(value: unknown): { ok: true; event: ClientEvent } | { ok: false; refusal: Refusal } {
  const parsed = ClientEvent.safeParse(value)
  if (parsed.success) return { ok: true, event: parsed.data }
  const issue = parsed.error.issues[0]
  const path = (issue?.path ?? []).join('.')
  if (issue?.code === 'unrecognized_keys') {
    const param = path === '' ? (issue.keys[0] ?? '') : `${path}.${issue.keys[0]}`
    return refuse('unknown_parameter', `Unknown parameter: '${param}'.`, param)
  }
  if (issue?.code === 'invalid_union' && path === 'type') {
    const known = ClientEvent.options.map((option) => `'${option.shape.type.value}'`).join(', ')
    return refuse('invalid_value', `Invalid value. Supported values are: ${known}.`, 'type')
  }
  if (issue?.code === 'invalid_type' && issue.message.includes('undefined')) {
    return refuse('missing_required_parameter', `Missing required parameter: '${path}'.`, path)
  }
  if (issue?.code === 'invalid_union' && path === 'session.type') {
    return refuse('missing_required_parameter', "Missing required parameter: 'session.type'.", path)
  }
  return refuse('invalid_value', `Invalid value for '${path}'.`, path)
}

function refuse(code: string, message: string, param: string): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { code, message, param } }
}
