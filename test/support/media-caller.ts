import { demo, type Parley } from './parley.ts'

/** What a route of the batch door answered, read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look wherever they want
  readonly body: any
}

/** A client of the batch door over a real socket. */
export class MediaCaller {
  readonly #base: string
  readonly #key: string

  constructor(parley: Parley, key: string = demo.key) {
    this.#base = parley.url
    this.#key = key
  }

  /**
   * Asks again, as a client does, where a busy machine kept Redis waiting for longer than the door waits for it; not with a
   * body that can be read once only.
   */
  async ask(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const response = await this.open(method, path, init)
      const text = await response.text()
      const answer = { status: response.status, headers: response.headers, text, body: parsed(text) as Answer['body'] }
      const isBusy = answer.status === 503 && answer.body?.code === 'unavailable'
      if (!isBusy || tries === 5 || init.body instanceof ReadableStream) return answer
    }
  }

  /** The answer as it comes. */
  open(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.#key}`, ...init.headers }
    return fetch(`${this.#base}${path}`, { redirect: 'manual', ...init, method, headers })
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask('GET', path, { headers })
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask('POST', path, {
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', ...headers },
    })
  }

  /** The same until it is answered by more than that Redis is too busy, as a client does; `tries` counts the answers. */
  async insist(path: string, body: unknown, headers: Record<string, string>): Promise<Answer & { tries: number }> {
    for (let tries = 1; ; tries++) {
      const answer = await this.post(path, body, headers)
      if (answer.status !== 503) return { ...answer, tries }
    }
  }

  /** A file as the whole body. */
  upload(bytes: Uint8Array | string, query = '', headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask('POST', `/v1/files${query}`, { body: bytes as never, headers })
  }

  form(fields: Record<string, string | Blob>, headers: Record<string, string> = {}): Promise<Answer> {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, value as string)
    return this.ask('POST', '/v1/files', { body: form, headers })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
