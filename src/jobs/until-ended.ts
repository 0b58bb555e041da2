import type { Clock } from '../clock.ts'
import { isEnded, type Job } from '../media/job.ts'
import type { JobStore } from '../media/job-store.ts'
import type { JobFeed } from '../store/jobs/job-feed.ts'
import { later, type Ms } from '../units.ts'

interface Deps {
  jobs: JobStore
  feed: JobFeed
  clock: Clock
}

/** The job once it has ended, or as it stands after `within` or at the signal; null when it is gone. */
export async function untilEnded(
  { jobs, feed, clock }: Deps,
  { tenant, id }: Pick<Job, 'tenant' | 'id'>,
  within: Ms,
  signal: AbortSignal,
): Promise<Job | null> {
  let news = Promise.withResolvers<void>()
  let isOver = signal.aborted
  const stop = () => {
    isOver = true
    news.resolve()
  }
  using _alarm = clock.at(later(clock.now(), within), stop)
  signal.addEventListener('abort', stop, { once: true })
  try {
    using _feed = await feed.watch(tenant, id, () => news.resolve())
    for (;;) {
      news = Promise.withResolvers()
      const job = await jobs.read(tenant, id)
      if (job === null || isEnded(job.status) || isOver) return job
      await news.promise
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
