/** What is worth being able to prove later. */
export type AuditKind =
  | 'config.loaded'
  | 'job.deleted'
  | 'job.result_read'
  | 'key.made'
  | 'key.rotated'
  | 'key.revoked'
  | 'limits.changed'
  | 'plan.changed'
  | 'plan.removed'
  | 'secret.minted'
  | 'session.closed'
  | 'session.opened'
  | 'tenant.changed'
  | 'tenant.made'
  | 'tenant.removed'
  | 'usage.read'

/** Who did it: the operator by an admin route, a tenant by one of its keys, or this node by itself. */
export type AuditActor = 'operator' | 'node' | `key:${string}`

/** One thing that happened. Ids and numbers only: no content, no secrets, no free text of callers. */
export interface AuditEntry {
  readonly kind: AuditKind
  readonly actor: AuditActor
  /** The tenant it concerns; null for the whole installation. */
  readonly tenant: string | null
  /** Id of the key, plan, secret, session or job. */
  readonly subject: string | null
  readonly detail?: Readonly<Record<string, AuditValue>>
}

export type AuditValue = string | number | boolean | null | AuditValue[] | { [name: string]: AuditValue }

export interface Audit {
  /** Writes it down. Never throws: a log that cannot be written is an alarm of its own, and ends no session. */
  record(entry: AuditEntry): void
}

/** For parts that run without a log. */
export const NO_AUDIT: Audit = { record: () => undefined }
