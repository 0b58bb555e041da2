import type { IncomingMessage, ServerResponse } from 'node:http'
import { credentialsOf } from '../../../auth/authenticate.ts'
import type { Clock } from '../../../clock.ts'
import { type Instant, later, ms } from '../../../units.ts'
import { parseFaults } from '../faults.ts'
import { newId } from '../loopback-session.ts'
import { type HttpFault, type Reply, refused, type Sold } from './reply.ts'
import { transcribe } from './transcription-door.ts'
import { complete, respond } from './vision-door.ts'

type Loose = Record<string, unknown>

/** One call that was billed: the truth a broker's ledger is held against. */
export interface CallBill extends Sold {
  id: string
  path: string
  at: Instant
}

/** Larger bodies are refused, bytes: the service takes 25 MB of audio, and pictures in base64 beside text. */
const LARGEST_BODY = 64 * 1_024 * 1_024
const MOST_RECORDS = 100_000

export interface MediaDoorOptions {
  clock: Clock
  /** The only key accepted; any when left out. */
  key?: string
  /** For every request that asks for none itself. */
  faults(): HttpFault
}

/** The HTTP side of the loopback provider: transcriptions, chat completions and responses, with faults on demand. */
export class MediaDoor {
  /** What was billed, oldest first. */
  readonly bills: CallBill[] = []
  /** Faults of the requests to come, one each; when it is empty, those of `faults()` hold. */
  readonly next: HttpFault[] = []
  /** Requests under way. */
  open = 0
  /** The most that were under way at once. */
  mostOpen = 0
  /** Requests that came, whatever became of them. */
  requests = 0
  readonly #options: MediaDoorOptions

  constructor(options: MediaDoorOptions) {
    this.#options = options
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.requests++
    this.open++
    this.mostOpen = Math.max(this.mostOpen, this.open)
    response.once('close', () => {
      this.open--
    })
    this.#answer(request, response).catch(() => response.destroy())
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://loopback')
    const asked = request.headers['x-loopback-fault'] ?? url.searchParams.get('fault')
    const own = asked === null || asked === undefined ? this.next.shift() : parseFaults(String(asked))
    const fault: HttpFault = { ...this.#options.faults(), ...own }
    const body = await bodyOf(request)
    const reply =
      body === null ? refused(413, null, 'The body is too large.', null) : await this.#reply(request, url, body, fault)
    if (fault.silent !== undefined) return
    const { clock } = this.#options
    if (fault.delay !== undefined) await passed(clock, fault.delay)
    const id = newId('req')
    if (reply.type !== 'refusal' && this.bills.length < MOST_RECORDS)
      this.bills.push({ ...reply.bill, id, path: url.pathname, at: clock.now() })
    write(response, id, reply, fault)
  }

  async #reply(request: IncomingMessage, url: URL, body: Buffer, fault: HttpFault): Promise<Reply> {
    const key = credentialsOf(request.headers).value
    if (key === null || (this.#options.key !== undefined && key !== this.#options.key))
      return refused(401, 'invalid_api_key', 'Incorrect API key provided.', null)
    if (fault.refuse !== undefined) return refused(fault.refuse, null, 'The server had an error.', null)
    if (fault.quota !== undefined) return refused(429, 'insufficient_quota', 'You exceeded your current quota.', null)
    if (fault.rateLimited !== undefined) {
      const headers = { 'retry-after': String(fault.rateLimited), 'retry-after-ms': String(fault.rateLimited * 1_000) }
      return refused(429, 'rate_limit_exceeded', 'Rate limit reached for requests.', null, headers)
    }
    if (request.method !== 'POST') return refused(404, null, `Invalid URL (${request.method} ${url.pathname})`, null)
    const path = url.pathname.replace(/^\/openai/, '')
    const now = this.#options.clock.now()
    const type = request.headers['content-type'] ?? ''
    if (path === '/v1/audio/transcriptions') {
      const form = await formOf(type, body)
      return form === null ? refused(400, null, 'Could not parse multipart form', null) : transcribe(form, fault)
    }
    const json = path === '/v1/chat/completions' || path === '/v1/responses' ? jsonOf(body) : undefined
    if (json === null) return refused(400, null, 'We could not parse the JSON body of your request.', null)
    if (json !== undefined) return path === '/v1/responses' ? respond(json, fault, now) : complete(json, fault, now)
    return refused(404, null, `Invalid URL (POST ${url.pathname})`, null)
  }
}

/** `id`: of the request, which its bill has too. */
function write(response: ServerResponse, id: string, reply: Reply, fault: HttpFault): void {
  if (fault.drop === 1) return void response.destroy()
  const head = { 'x-request-id': id }
  switch (reply.type) {
    case 'refusal':
      return void response
        .writeHead(reply.status, { ...head, ...reply.headers, 'content-type': 'application/json' })
        .end(JSON.stringify(reply.body))
    case 'text':
      return void response.writeHead(200, { ...head, 'content-type': reply.contentType }).end(reply.text)
    case 'json': {
      const text = JSON.stringify(reply.body)
      response.writeHead(200, { ...head, 'content-type': 'application/json' })
      if (fault.drop !== undefined) return void response.write(text.slice(0, text.length / 2), () => response.destroy())
      return void response.end(fault.malformed === undefined ? text : text.slice(0, text.length / 2))
    }
    case 'events': {
      response.writeHead(200, { ...head, 'content-type': 'text/event-stream; charset=utf-8' })
      const lines = reply.events.map((event) => {
        const name = reply.named === true ? `event: ${event.type}\n` : ''
        return `${name}data: ${JSON.stringify(event)}\n\n`
      })
      if (fault.malformed !== undefined) lines.splice(1, 0, 'data: {"type":\n\n')
      if (fault.drop !== undefined)
        return void response.write(lines.slice(0, fault.drop - 1).join(''), () => response.destroy())
      if (reply.isEnded === true) lines.push('data: [DONE]\n\n')
      for (const line of lines) response.write(line)
      return void response.end()
    }
  }
}

/** Null for a body past the bound. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = []
  let seen = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    seen += chunk.length
    if (seen <= LARGEST_BODY) parts.push(chunk)
  }
  return seen > LARGEST_BODY ? null : Buffer.concat(parts)
}

async function formOf(type: string, body: Buffer): Promise<FormData | null> {
  return new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData().catch(() => null)
}

function jsonOf(body: Buffer): Loose | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : null
  } catch {
    return null
  }
}

function passed(clock: Clock, wait: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  clock.at(later(clock.now(), ms(wait)), resolve)
  return promise
}
