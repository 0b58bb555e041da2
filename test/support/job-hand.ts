import type { JobHold, JobOutcome } from '../../src/media/job-store.ts'
import { RedisJobStore } from '../../src/store/jobs/redis-job-store.ts'
import type { Store } from '../../src/store/store.ts'
import { jobLimits, queueConfig } from './jobs.ts'

/** Does by hand what a worker does, so that a test says when. */
export class JobHand {
  readonly jobs: RedisJobStore

  constructor(store: Store) {
    this.jobs = new RedisJobStore(store.redis, { limits: () => jobLimits, queue: () => queueConfig })
  }

  async start(id: string, tenant = 'acme', dispatch = 1): Promise<JobHold> {
    const answer = await this.jobs.start(tenant, id, dispatch)
    if (answer.type !== 'started') throw new Error(`the job is ${answer.type}`)
    return answer.hold
  }

  /** `json`: the result of a job that went well. */
  async end(hold: JobHold, outcome: Partial<JobOutcome> & { json?: unknown } = {}): Promise<void> {
    const { json = { text: 'hello' }, ...rest } = outcome
    const result = rest.status === undefined ? { kind: 'inline' as const, json } : null
    const isTaken = await this.jobs.end(hold, {
      ...{ status: 'succeeded', error: null, result, saved: null, usage: null },
      ...rest,
    })
    if (!isTaken) throw new Error('the hold was lost')
  }
}

/** Server-sent events as they come. */
export interface SentEvent {
  id: number
  event: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look wherever they want
  data: any
}

/** Reads a stream of events until it ends, or has brought so many; comments are left out. */
export async function sentEvents(response: Response, most = Number.POSITIVE_INFINITY): Promise<SentEvent[]> {
  const found: SentEvent[] = []
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: (.*)/) as [string, string]),
      )
      text = text.slice(end + 2)
      if (!fields.has('event')) continue
      const data: unknown = JSON.parse(fields.get('data') ?? 'null')
      found.push({ id: Number(fields.get('id')), event: fields.get('event') ?? '', data })
      if (found.length === most) return found
    }
  }
  return found
}
