import { bytes } from '../units.ts'
import type { Config, JobLimits } from './config.ts'

/** What becomes of a tenant that was removed while its requests or jobs were under way: nothing more. */
const NOTHING: JobLimits = { running: 0, waiting: 0, weight: 1, storage: bytes(0), files: 0, requestsPerMinute: 60 }

/** What a tenant's plan allows its jobs and files. */
export function jobLimitsOf({ plans, tenants }: Config, tenant: string): JobLimits {
  return plans.get(tenants.get(tenant)?.plan ?? '')?.jobs ?? NOTHING
}
