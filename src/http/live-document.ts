import { z } from 'zod'
import { FAULTS, type Fault, type FaultCode, publicCode } from '../faults.ts'
import { ParleyClientEvent, ParleyServerEvent } from '../wire/parley-events.ts'

type ParleyType = (ParleyServerEvent | ParleyClientEvent)['type']

/** What each event of Parley's own is for. */
const MEANINGS: Readonly<Record<ParleyType, string>> = {
  'parley.session': 'Once after `session.created`, and first of all after a resume',
  'parley.warning': 'A limit is near; `idle` is taken back by `parley.idle_over`',
  'parley.idle_over': 'Somebody spoke after a warning that nobody did',
  'parley.going_away': 'The node shuts down: resume when the connection closes with 4200',
  'parley.gap': 'Frames are lost to this caller; the conversation so far as text',
  'parley.restored': 'The session goes on at a new connection to the provider',
  'parley.session_ended': 'Why the session ended, and what it came to',
  'parley.usage': 'Something was bought and booked',
  'parley.throttled': 'A response, or input that costs, waits for a limit or was refused',
  'parley.budget_warning': 'A budget is near its end',
  'parley.pong': 'The answer to `parley.ping`',
  'parley.ack': 'Which counted frames have arrived: they need not be kept any longer',
  'parley.ping': 'For callers that cannot send WebSocket pings',
}

/** Close codes that are nobody’s fault, or the protocol’s own. */
const PLAIN_CLOSES: Readonly<Record<number, string>> = {
  1000: 'The caller hung up',
  1001: 'The node shuts down and there is no resume token: start afresh',
  1002: 'Frames that are no proper WebSocket',
  1007: 'Text that is not UTF-8',
}

const ADVICE = [
  { from: 4_000, to: 4_099, advice: 'stop' },
  { from: 4_100, to: 4_199, advice: 'wait, then retry' },
  { from: 4_200, to: 4_299, advice: 'resume now' },
] as const

/** V3: the live door as AsyncAPI 3 describes one, made from the schemas and the table of faults that the door itself uses. */
export function liveDocument(): Record<string, unknown> {
  const server = ParleyServerEvent.options.map(messageOf)
  const client = ParleyClientEvent.options.map(messageOf)
  const openai = (name: string, whose: string) => ({
    name,
    title: name,
    summary: `Any event of the OpenAI Realtime protocol that a ${whose} sends; passed on byte for byte`,
    contentType: 'application/json',
    payload: { type: 'object', required: ['type'], properties: { type: { type: 'string' } } },
  })
  const messages = Object.fromEntries([
    ...[...server, ...client].map((message) => [message.name, message]),
    ['openai.server', openai('openai.server', 'server')],
    ['openai.client', openai('openai.client', 'client')],
  ])
  const inChannel = (name: string) => ({ $ref: `#/channels/realtime/messages/${name}` })
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Parley, the live door',
      version: '1',
      description:
        'OpenAI Realtime over WebSocket. Events whose type begins with `parley.` go to callers that ask for them: `parley=1` in the query, or the subprotocol `parley.v1`.',
    },
    defaultContentType: 'application/json',
    channels: {
      realtime: {
        address: '/v1/realtime',
        messages: Object.fromEntries(
          Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: { ws: { bindingVersion: '0.1.0', method: 'GET', query: QUERY } },
        'x-subprotocols': ['realtime', 'parley.v1', 'openai-insecure-api-key.<client secret>'],
        'x-close-codes': closeCodes(),
      },
    },
    operations: {
      tell: {
        action: 'send',
        channel: { $ref: '#/channels/realtime' },
        messages: ['openai.server', ...server.map(({ name }) => name)].map(inChannel),
      },
      hear: {
        action: 'receive',
        channel: { $ref: '#/channels/realtime' },
        messages: ['openai.client', ...client.map(({ name }) => name)].map(inChannel),
      },
    },
    components: {
      messages,
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key of a tenant, or a client secret' },
      },
    },
  }
}

const QUERY = {
  type: 'object',
  properties: {
    model: { type: 'string', description: 'A model of `GET /v1/models`' },
    intent: { type: 'string', enum: ['transcription'] },
    parley: { type: 'string', enum: ['1'], description: 'Ask for the events of Parley’s own' },
  },
}

function messageOf(schema: z.ZodObject<{ type: z.ZodLiteral<ParleyType> }>) {
  const name = schema.shape.type.value
  const { $schema: _dialect, ...payload } = z.toJSONSchema(schema, { io: 'output' })
  return { name, title: name, summary: MEANINGS[name], contentType: 'application/json', payload }
}

/** Every code a connection may close with, and what is in `error.code` before it. */
function closeCodes(): { code: number; errors: string[]; advice?: string; description?: string }[] {
  const byCode = Map.groupBy(Object.keys(FAULTS) as FaultCode[], (code) => (FAULTS[code] as Fault).close)
  const plain = Object.entries(PLAIN_CLOSES).map(([code, description]) => ({
    code: Number(code),
    errors: [],
    description,
  }))
  const told = [...byCode].map(([code, faults]) => {
    const advice = ADVICE.find(({ from, to }) => code >= from && code <= to)?.advice
    const errors = [...new Set(faults.map(publicCode))].sort()
    return { code, errors, ...(advice === undefined ? {} : { advice }) }
  })
  return [...plain, ...told].sort((a, b) => a.code - b.code)
}
