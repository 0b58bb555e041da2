import type { Log } from '../../src/log.ts'
import type { MediaMetrics } from '../../src/metrics.ts'
import type { BackOffice, Missed } from '../../src/store/jobs/back-office.ts'
import type { Dispatcher } from './dispatcher.ts'
import { type MediaQueues, mergeName, runName } from './media-queues.ts'

export interface SweepJobsDeps {
  readonly log: Log
  readonly metrics: MediaMetrics
  readonly office: BackOffice
  readonly queues: MediaQueues
  readonly dispatcher: Dispatcher
  /** Tells and deletes what the tenant's jobs have left to be told and deleted. */
  readonly follow: (tenant: string, signal: AbortSignal) => Promise<void>
}

/** Everything about jobs that time alone, a crash or a lost message has left to do, for all tenants. */
export async function sweepJobs(deps: SweepJobsDeps, signal: AbortSignal): Promise<void> {
  const depth = { queued: 0, scheduled: 0, processing: 0, untold: 0 }
  for (const tenant of await deps.office.tenants()) {
    signal.throwIfAborted()
    await sweepTenant(deps, tenant, signal)
    const { waiting, scheduled, processing, news } = await deps.office.depth(tenant)
    depth.queued += waiting
    depth.scheduled += scheduled
    depth.processing += processing
    depth.untold += news
  }
  for (const [state, count] of Object.entries(depth)) deps.metrics.jobs.set({ state }, count)
}

async function sweepTenant(deps: SweepJobsDeps, tenant: string, signal: AbortSignal): Promise<void> {
  const { office, dispatcher, log } = deps
  for (let hasMore = true; hasMore; ) {
    const swept = await office.sweep(tenant)
    if (swept.orphans > 0) log.warn({ jobs: swept.orphans }, 'jobs of dead workers wait again')
    if (swept.ended > 0) log.warn({ jobs: swept.ended }, 'jobs ended that nobody else would end')
    hasMore = swept.hasMore
    signal.throwIfAborted()
  }
  for (const missed of await office.stale(tenant)) {
    if (await isInQueue(deps.queues, missed)) continue
    if (await office.resend(tenant, missed)) log.warn({ jobId: missed.id, where: missed.where }, 'a job is sent again')
  }
  await dispatcher.dispatch(tenant)
  await deps.follow(tenant, signal)
}

async function isInQueue(queues: MediaQueues, missed: Missed): Promise<boolean> {
  const found =
    missed.where === 'sent' ? await queues.jobs.getJob(runName(missed)) : await queues.merges.getJob(mergeName(missed))
  // Of a run that has failed the queue keeps a trace.
  return found !== undefined && !(await found.isFailed())
}
