import type { Context } from 'hono'
import type { Clock } from '../../clock.ts'
import { FaultError } from '../../faults.ts'
import { iso } from '../../jobs/wire.ts'
import type { Log } from '../../log.ts'
import { isEnded, type Job } from '../../media/job.ts'
import type { JobEvent, JobStore } from '../../media/job-store.ts'
import { follow, type JobFeed } from '../../store/jobs/job-feed.ts'
import type { StreamSlots } from '../../store/stream-slots.ts'
import { eventLine } from '../event-line.ts'

export interface JobEventDeps {
  clock: Clock
  log: Log
  jobs: JobStore
  feed: JobFeed
  slots: StreamSlots
}

const COME_BACK_AFTER_MS = 2_000

/**
 * A job's events as they come, from after `Last-Event-ID` on. The stream ends with the job; who has had its end already is
 * told with 204 that there is no more, which is how a browser is kept from asking again.
 */
export async function jobEvents(c: Context, deps: JobEventDeps, job: Job): Promise<Response> {
  const after = lastEventId(c)
  if (isEnded(job.status) && (await deps.jobs.events(job.tenant, job.id, after)).length === 0) {
    return c.body(null, 204)
  }
  const { tenant, keyId } = c.get('principal')
  const slot = await deps.slots.take(tenant, keyId)
  return eventLine(
    c,
    deps.clock,
    () => void slot.renew(),
    async (line) => {
      try {
        await line.write(`retry: ${COME_BACK_AFTER_MS}\n\n`)
        for await (const event of follow(deps.jobs, deps.feed, job, after, line.gone))
          await line.write(frameOf(event, job.id))
      } catch (error) {
        // The reader comes back by itself, with the number of the last event it has.
        deps.log.warn({ why: String(error) }, 'an event stream was ended')
      } finally {
        await slot[Symbol.asyncDispose]()
      }
    },
  )
}

/** Events hold no line ends: their data is JSON. */
function frameOf({ id, at, event, data }: JobEvent, job: string): string {
  const line = JSON.stringify({ job_id: job, at: iso(at), ...(data as object) })
  return `id: ${id}\nevent: ${event}\ndata: ${line}\n\n`
}

/** As browsers send it when they come back; `?after=` for others. */
function lastEventId(c: Context): number {
  const text = c.req.header('last-event-id') ?? c.req.query('after') ?? '0'
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new FaultError('invalid_request', 'Last-Event-ID is the number of an event.', { param: 'Last-Event-ID' })
}
