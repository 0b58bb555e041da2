import { FaultError } from '../faults.ts'
import type { Principal } from './principal.ts'

/**
 * What a tenant's key is good for: opening sessions; minting client secrets; reading and ending sessions, and reading
 * usage and limits; files, jobs and batches; webhook endpoints. A key has all of them unless it was made with fewer.
 */
export const SCOPES = ['realtime', 'mint', 'usage', 'jobs', 'webhooks'] as const
export type Scope = (typeof SCOPES)[number]

/** Throws `forbidden` where the key behind a request was not made for this. */
export function requireScope({ scopes }: Pick<Principal, 'scopes'>, needed: Scope): void {
  if (scopes.includes(needed)) return
  throw new FaultError('forbidden', `This key has not the scope '${needed}'.`)
}
