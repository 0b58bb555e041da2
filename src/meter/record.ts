import type { Instant, NanoUsd, Tokens } from '../units.ts'
import type { Saving } from './savings.ts'
import type { Usage } from './usage.ts'

/** What was bought; `session` records what the end of one, or a step that was not bought, has saved. */
export type RecordKind = 'response' | 'transcription' | 'stage' | 'session'

/** What makes a second booking of the same thing impossible. A turn's transcription is bought beside its response. */
export function recordId(kind: RecordKind, session: string, providerId: string): string {
  return kind === 'transcription' ? `${session}:t:${providerId}` : `${session}:${providerId}`
}

/**
 * M3: one thing bought, booked once. A record is never changed: when the truth about an estimated one arrives, a second
 * record under the same id says by how much it was off.
 */
export interface LedgerRecord {
  /** `<session>:<response or item id>` or `<job>:<stage>`: what makes a second booking of the same thing impossible. */
  readonly id: string
  readonly kind: RecordKind
  /**
   * `usage` as the provider counted it; `estimate` settled from what was known when a node died; `correction` the
   * difference between the truth and an estimate booked before, which may be negative.
   */
  readonly basis: 'usage' | 'estimate' | 'correction'
  readonly at: Instant
  readonly tenant: string
  readonly user: string | null
  readonly keyId: string
  /** Session or job. */
  readonly session: string
  readonly model: string
  readonly provider: string
  readonly providerModel: string
  /** The response's or item's own id at the provider. */
  readonly providerId: string
  readonly status: 'completed' | 'cancelled' | 'failed' | 'incomplete' | 'unknown'
  readonly usage: Usage
  readonly cost: NanoUsd
  /** Row of the price sheet. */
  readonly priceRow: string
  /** The cost or the usage rests on a guess. */
  readonly estimated: boolean
  readonly weighted: Tokens
  readonly savings: readonly Saving[]
}
