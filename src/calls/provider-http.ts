import type { IncomingHttpHeaders } from 'node:http'
import { Agent, type Dispatcher, FormData } from 'undici'
import type { Clock } from '../clock.ts'
import { traceHeaders } from '../traces/traceparent.ts'
import { later, type Ms } from '../units.ts'
import type { Endpoint } from './endpoint.ts'
import { connectionFailure, failureOf } from './http-failure.ts'
import { CallFailed } from './media-provider.ts'

/** A form whose file is read while it is sent. */
export interface Form {
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly file: { readonly name: string; readonly content: Blob }
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly requestId: string | null
  /** As it comes, up to the answer's bound. Throws CallFailed where it breaks off or is too long. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface ProviderHttpOptions {
  readonly clock: Clock
  /** For everything from the first byte sent to the last one read. */
  timeout(): Ms
  /** Told of the headers of every answer: they say how much of a rate is left. */
  onHeaders?(headers: IncomingHttpHeaders): void
}

/** The largest answer that is read: a transcript of hours with every word's times is far below. */
const LARGEST_ANSWER = 32 * 1_024 * 1_024
const LARGEST_ERROR = 64 * 1_024
const USER_AGENT = 'Parley/1'
/** Refusals of what was asked, which the asker may read in the provider's words. */
const ASKERS_DOING: ReadonlySet<number> = new Set([400, 404, 413, 415, 422])

/**
 * Requests to one provider over its own kept connections. Beside the guarded fetcher and the dialling of realtime lines this
 * is the one place where requests are made; its addresses come from the policy file, never from a caller.
 */
export class ProviderHttp implements AsyncDisposable {
  readonly #endpoint: Endpoint
  readonly #agent: Agent
  readonly #options: ProviderHttpOptions

  constructor(endpoint: Endpoint, options: ProviderHttpOptions) {
    this.#endpoint = endpoint
    this.#options = options
    this.#agent = new Agent({
      connect: endpoint.socketPath === null ? { timeout: 10_000 } : { socketPath: endpoint.socketPath },
      allowH2: false,
      pipelining: 1,
      // One clock decides how long a call may take.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /** A success, or (with `isForwarded`) a refusal of the asker's doing. Rejects with CallFailed, or the signal's reason. */
  async post(
    path: string,
    content: { readonly json: unknown } | Form,
    signal: AbortSignal,
    isForwarded = false,
  ): Promise<HttpAnswer> {
    const { clock, onHeaders, timeout } = this.#options
    signal.throwIfAborted()
    const limits = new Deadline(clock, timeout(), signal)
    try {
      const answer = await this.#send(path, content, limits.signal)
      onHeaders?.(answer.headers)
      const isAnswer = answer.statusCode < 300 || (isForwarded && ASKERS_DOING.has(answer.statusCode))
      if (!isAnswer) throw failureOf(answer.statusCode, answer.headers, await errorCodeOf(answer.body), clock.now())
      const requestId = answer.headers['x-request-id']
      return {
        status: answer.statusCode,
        headers: answer.headers,
        requestId: typeof requestId === 'string' ? requestId.slice(0, 128) : null,
        body: bounded(answer.body, limits),
      }
    } catch (error) {
      limits[Symbol.dispose]()
      throw limits.translate(error)
    }
  }

  /** No new requests; those under way go on to their end. */
  async retire(): Promise<void> {
    await this.#agent.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }

  #send(
    path: string,
    content: { readonly json: unknown } | Form,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { base, headers, isTold } = this.#endpoint
    const url = new URL(`${base}/${path}`)
    const common = { ...headers, ...(isTold ? traceHeaders() : {}), 'user-agent': USER_AGENT, accept: '*/*' }
    const request = { origin: url.origin, path: url.pathname + url.search, method: 'POST' as const, signal }
    if ('json' in content) {
      const body = JSON.stringify(content.json)
      return this.#agent.request({ ...request, headers: { ...common, 'content-type': 'application/json' }, body })
    }
    const form = new FormData()
    for (const [name, value] of content.fields) form.append(name, value)
    form.append('file', content.file.content, content.file.name)
    return this.#agent.request({ ...request, headers: common, body: form })
  }
}

/** The caller's signal and the time limit as one signal, and what it means that it was given. */
class Deadline implements Disposable {
  readonly #own = new AbortController()
  readonly #alarm: Disposable
  readonly #outer: AbortSignal
  readonly signal: AbortSignal
  #isLate = false

  constructor(clock: Clock, limit: Ms, outer: AbortSignal) {
    this.#outer = outer
    this.signal = AbortSignal.any([outer, this.#own.signal])
    this.#alarm = clock.at(later(clock.now(), limit), () => {
      this.#isLate = true
      this.#own.abort()
    })
  }

  /** What was thrown, as those outside know it. */
  translate(error: unknown): unknown {
    if (this.#outer.aborted) return this.#outer.reason
    if (this.#isLate) return new CallFailed('timeout', 'the provider took too long', { mayBeBought: true })
    return error instanceof CallFailed ? error : connectionFailure(error)
  }

  [Symbol.dispose](): void {
    this.#alarm[Symbol.dispose]()
  }
}

async function* bounded(body: AsyncIterable<Uint8Array>, limits: Deadline): AsyncGenerator<Uint8Array, void, void> {
  try {
    let seen = 0
    for await (const chunk of body) {
      seen += chunk.byteLength
      if (seen > LARGEST_ANSWER)
        throw new CallFailed('bad_answer', 'the answer of the provider is too long', { mayBeBought: true })
      yield chunk
    }
  } catch (error) {
    throw limits.translate(error)
  } finally {
    limits[Symbol.dispose]()
  }
}

/** `error.code` of a body in OpenAI's shape; null for any other. */
async function errorCodeOf(body: AsyncIterable<Uint8Array>): Promise<string | null> {
  try {
    const parts: Uint8Array[] = []
    let seen = 0
    for await (const chunk of body) {
      seen += chunk.byteLength
      if (seen > LARGEST_ERROR) return null
      parts.push(chunk)
    }
    const code = (JSON.parse(Buffer.concat(parts).toString('utf8')) as { error?: { code?: unknown } })?.error?.code
    return typeof code === 'string' ? code : null
  } catch {
    // A refusal whose body cannot be read is still a refusal.
    return null
  }
}

/** The whole of an answer. */
export async function bytesOf(answer: HttpAnswer): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of answer.body) parts.push(chunk)
  return Buffer.concat(parts)
}

/** The whole of an answer that is to be JSON. Rejects with CallFailed `bad_answer`. */
export async function jsonOf(answer: HttpAnswer): Promise<Record<string, unknown>> {
  const bytes = await bytesOf(answer)
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Told below, like any other JSON that is no object.
  }
  throw new CallFailed('bad_answer', 'the provider answered with no JSON object', { mayBeBought: true })
}
