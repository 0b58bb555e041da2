import type { SessionHead } from '../../src/store/session-records.ts'
import type { Instant } from '../../src/units.ts'

/** What never changes about a session that was admitted at `now`. */
export function sessionHead(id: string, tenant: string, now: Instant): SessionHead {
  return {
    ...{ id, tenant, keyId: 'k', user: null, model: 'gpt-realtime', served: 'gpt-realtime', maxOutputTokens: null },
    ...{ kind: 'conversation', plan: 'default', admitted: now, maxDuration: 60_000, resumeWindow: 1_000 },
    ...{ origin: null, grant: null },
  }
}
