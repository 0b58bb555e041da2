import type { SecretGrant } from '../auth/principal.ts'
import type { Ceilings } from '../auth/session-fields.ts'
import type { SessionPolicy } from '../session/policy.ts'
import type { SessionHead, SessionTail, SessionUsage } from '../store/session-records.ts'
import type { Greeting } from './greeting.ts'

/** What a session is started with. */
export interface LiveSessionOptions {
  head: SessionHead
  policy: SessionPolicy
  ceilings: Ceilings
  grant: SecretGrant | null
  /** The caller asked for `parley.*` events. */
  speaksParley: boolean
  /** What another node left behind, and the last frame the returning caller has seen: the session goes on from here. */
  carriedOver: { tail: SessionTail; usage: SessionUsage; seen: number } | null
  greeting: Greeting
}
