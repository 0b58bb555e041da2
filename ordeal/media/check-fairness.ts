import { type Finding, finding } from '../evidence.ts'
import { type JobSeen, jobsOf, type MediaEvidence } from './media-evidence.ts'
import { CROWD } from './media-premises.ts'

/** What a job counts as in the fair order where its length is not known when it is made, s (src/jobs/job-order.ts). */
const workOf = ({ type }: JobSeen) => (type.startsWith('image.') ? 0.5 : 5)
/** What the crowd may be ahead by: as many jobs as it may run, and as many that were on their way to the workers, s. */
const AHEAD = 2 * 3 * 5

/**
 * While a job waits, the tenant with most of the jobs gets no more work begun than the job's own tenant, beside what was on its
 * way already. Only jobs that were begun once are looked at: of others the first wait is not known any more.
 */
export async function checkFairness(evidence: MediaEvidence): Promise<Finding> {
  const others: JobSeen[] = []
  for (const tenant of evidence.premises.tenants.keys()) {
    if (tenant !== CROWD) others.push(...(await jobsOf(evidence, tenant)).map((job) => ({ ...job, tenant })))
  }
  const crowd = await jobsOf(evidence, CROWD)
  const begun = (jobs: readonly JobSeen[]) =>
    jobs.filter(({ started_at, attempt }) => started_at !== null && attempt === 1)
  const starts = new Map([[CROWD, startsOf(crowd)]])
  for (const [tenant, jobs] of Map.groupBy(others, ({ tenant }) => tenant ?? '')) starts.set(tenant, startsOf(jobs))
  const broken: string[] = []
  for (const job of begun(others)) {
    const from = Date.parse(job.queued_at ?? job.created_at)
    const to = Date.parse(job.started_at ?? '')
    const between = (tenant: string) =>
      (starts.get(tenant) ?? []).filter(({ at }) => at > from && at <= to).reduce((sum, { work }) => sum + work, 0)
    const ahead = between(CROWD) - between(job.tenant ?? '')
    if (ahead > AHEAD) broken.push(`${job.id} of ${job.tenant} saw ${ahead} s of work of the crowd go before it`)
  }
  const found = `waits at the median: the crowd ${medianWait(begun(crowd))} s, all others ${medianWait(begun(others))} s`
  return finding('a tenant with most of the jobs delays the others by its share and no more', found, broken)
}

const startsOf = (jobs: readonly JobSeen[]) =>
  jobs.flatMap((job) => (job.started_at === null ? [] : [{ at: Date.parse(job.started_at), work: workOf(job) }]))

function medianWait(jobs: readonly JobSeen[]): string {
  const waits = jobs
    .map(({ queued_at, created_at, started_at }) => Date.parse(started_at ?? '') - Date.parse(queued_at ?? created_at))
    .sort((a, b) => a - b)
  return ((waits[Math.floor(waits.length / 2)] ?? 0) / 1_000).toFixed(1)
}
