import type { NanoUsd } from '../units.ts'
import type { TranscriptionAnswer, TranscriptionCall, VisionAnswer, VisionCall } from './media-provider.ts'

/** Who pays, and for what. */
export interface Payer {
  readonly tenant: string
  readonly user: string | null
  readonly keyId: string
  /** Job id; of a drop-in call, the request's own id. It is the record's `session`. */
  readonly job: string
  /** The most all calls of this job may cost; null for no more than the accounts allow. */
  readonly maxCost: NanoUsd | null
}

/** What one paid step came to. */
export interface Paid<A> {
  readonly answer: A
  /** The model that answered, after escalation. */
  readonly model: string
  /** Booked for this step; zero when it came from the cache. */
  readonly cost: NanoUsd
  /** What it would have cost anew; differs from `cost` for answers from the cache. */
  readonly worth: NanoUsd
  readonly calls: number
  readonly fromCache: boolean
  readonly estimated: boolean
}

/**
 * Paid calls: limits and budgets before (rules L), the provider with its retries (Q5), the ledger after (M3), answers kept
 * by content for the same tenant (Q6). `stage` names the step inside its job: `<job>:<stage>` is booked once for ever, and a
 * step whose answer is kept is never bought again. Rejects with FaultError: `budget_spent`, `rate_limited`,
 * `upstream_unavailable`, `model_not_found`, `model_not_priced`, `store_unavailable`, `media_refused`.
 */
export interface MediaCalls {
  /** `sha256` of the file, hex: what the cache knows it by. `escalateTo`: asked where confidence is low; null for never. */
  transcribe(
    payer: Payer,
    stage: string,
    call: TranscriptionCall & { readonly sha256: string; readonly escalateTo: string | null },
    signal: AbortSignal,
  ): Promise<Paid<TranscriptionAnswer>>
  describe(
    payer: Payer,
    stage: string,
    call: VisionCall & { readonly sha256: string; readonly escalateTo: string | null },
    signal: AbortSignal,
  ): Promise<Paid<VisionAnswer>>
}
