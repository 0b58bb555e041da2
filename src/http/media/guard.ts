import type { MiddlewareHandler } from 'hono'
import { authenticateKey, credentialsOf } from '../../auth/authenticate.ts'
import type { Principal } from '../../auth/principal.ts'
import { requireScope, type Scope } from '../../auth/scopes.ts'
import type { ViewerDeps } from '../../auth/viewer.ts'
import { jobLimitsOf } from '../../config/job-limits.ts'
import { FaultError } from '../../faults.ts'
import { RATE_WINDOW, type RequestRate } from '../../store/request-rate.ts'
import type { StoreMemory } from '../../store/store-memory.ts'

declare module 'hono' {
  interface ContextVariableMap {
    /** Behind the routes of the batch door: whose key it is. */
    principal: Principal
  }
}

export interface GuardDeps extends ViewerDeps {
  rate: RequestRate
}

/** Of routes that take in something new. */
export interface RoomDeps {
  /** Asked before it is acknowledged. */
  memory: Pick<StoreMemory, 'requireRoom'>
}

/**
 * Lets in whoever shows a tenant's key that may use the batch door, as long as it does not ask too often. The tenant comes
 * from the key and from nowhere else.
 */
export function guard(deps: GuardDeps, scope: Scope = 'jobs'): MiddlewareHandler {
  return async (c, next) => {
    // Asks what can be asked, and nothing else.
    if (c.req.method === 'OPTIONS') return next()
    const config = deps.config()
    const credentials = credentialsOf({
      authorization: c.req.header('authorization'),
      'api-key': c.req.header('api-key'),
      origin: c.req.header('origin'),
    })
    const principal = await authenticateKey(config, deps.secrets, credentials, deps.clock.now())
    requireScope(principal, scope)
    c.set('principal', principal)
    const quota = jobLimitsOf(config, principal.tenant).requestsPerMinute
    if (quota === null) return next()

    const { allowed, left, reset, wait } = await deps.rate.take(principal.tenant, principal.keyId, quota)
    c.header('RateLimit-Policy', `"requests";q=${quota};w=${RATE_WINDOW / 1_000}`)
    c.header('RateLimit', `"requests";r=${left};t=${Math.ceil(reset / 1_000)}`)
    if (allowed) return next()
    throw new FaultError('rate_limited', `This key may make ${quota} requests a minute.`, { retryAfterMs: wait })
  }
}
