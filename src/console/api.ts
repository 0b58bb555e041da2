import type { Bucket, Timeline } from '../wire/console.ts'
import type { JobPage, JobResultView } from '../wire/console-jobs.ts'
import { type StreamEvent, StreamReader } from './sse.ts'
import type { UsagePage } from './usage.ts'

/** A request that was refused, or did not get through. `status` 0: nobody answered. */
export class ApiError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }

  /** The key is wrong, or is none of an operator. */
  get isKey(): boolean {
    return this.status === 401 || this.status === 403
  }
}

/** `GET /v1/admin/sessions/{id}`. */
export interface SessionLook {
  readonly at: number
  readonly session: {
    readonly id: string
    readonly tenant: string
    readonly user: string | null
    readonly model: string
    readonly kind: string
    readonly plan: string
    readonly node: string
    readonly phase: string
    readonly reason: string | null
    readonly admitted_at: number
    readonly ends_at: number
    readonly ended_at: number | null
    readonly idle_ends_at: number | null
    readonly usage: {
      readonly input_tokens: number
      readonly output_tokens: number
      readonly responses: number
      readonly cost_nano_usd: number
    }
  }
  readonly timeline: Timeline | null
  readonly buckets: readonly Bucket[]
}

/** The routes that the console uses. The key goes into a header, and nowhere else. */
export class Api {
  readonly #key: string

  constructor(key: string) {
    this.#key = key
  }

  /** Rejects with ApiError where the key is none of an operator. */
  async check(): Promise<void> {
    await this.#json('/v1/admin/tenants?limit=1')
  }

  lookAt(session: string): Promise<SessionLook> {
    return this.#json(`/v1/admin/sessions/${encodeURIComponent(session)}`)
  }

  end(session: string): Promise<{ ending: boolean }> {
    return this.#json(`/v1/sessions/${encodeURIComponent(session)}/end`, { method: 'POST' })
  }

  jobs(query: Readonly<Record<string, string>>): Promise<JobPage> {
    return this.#json(`/v1/admin/jobs?${new URLSearchParams(query)}`)
  }

  result(tenant: string, job: string): Promise<JobResultView> {
    return this.#json(`/v1/admin/tenants/${encodeURIComponent(tenant)}/jobs/${encodeURIComponent(job)}/result`)
  }

  usage(query: Readonly<Record<string, string>>): Promise<UsagePage> {
    return this.#json(`/v1/usage?${new URLSearchParams(query)}`)
  }

  async usageCsv(query: Readonly<Record<string, string>>): Promise<Blob> {
    const answer = await this.#fetch(`/v1/usage?${new URLSearchParams({ ...query, format: 'csv' })}`, {})
    return answer.blob()
  }

  /** Events of the live stream until it ends or is aborted. `began`: it has been let in. */
  async live(signal: AbortSignal, began: () => void, hear: (events: StreamEvent[]) => void): Promise<void> {
    const answer = await this.#fetch('/v1/admin/live', { signal })
    if (answer.body === null) throw new ApiError(0, 'The stream has no body.')
    began()
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    const events = new StreamReader()
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      hear(events.push(value))
    }
  }

  async #json<T>(path: string, init: RequestInit = {}): Promise<T> {
    const answer = await this.#fetch(path, init)
    return (await answer.json()) as T
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.#key}` }
    const answer = await fetch(path, { ...init, headers, cache: 'no-store' }).catch((error: unknown) => {
      if (init.signal?.aborted === true) throw error
      throw new ApiError(0, 'The server does not answer.')
    })
    if (!answer.ok) throw new ApiError(answer.status, await messageOf(answer))
    return answer
  }
}

/** What OpenAI's error shape and RFC 9457 say. */
async function messageOf(answer: Response): Promise<string> {
  const body = (await answer.json().catch(() => null)) as { error?: { message?: string }; detail?: string } | null
  return body?.error?.message ?? body?.detail ?? `The server answered ${answer.status}.`
}
