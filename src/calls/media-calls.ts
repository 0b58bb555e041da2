import type { LeftOut } from '../media/savings.ts'
import type { Saving } from '../meter/savings.ts'
import type { Ms, NanoUsd } from '../units.ts'
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
  /** How long its answers are kept at most; left out: as long as the policy file says. */
  readonly keep?: Ms
}

/** What goes with every call. */
export interface CallContext {
  /** Hex SHA-256 of the file: what the kept answers know it by. */
  readonly sha256: string
  /** Asked where confidence is low; null for never. */
  readonly escalateTo: string | null
  /** What preparation kept out of this call: its savings stand on the call's record. */
  readonly leftOut?: LeftOut
}

/** What one paid step came to. */
export interface Paid<A> {
  readonly answer: A
  /** The model that answered, after escalation. */
  readonly model: string
  /** Booked for this step, answers that were lost included; zero when it came from the cache. */
  readonly cost: NanoUsd
  /** What it would have cost anew; differs from `cost` for answers from the cache. */
  readonly worth: NanoUsd
  readonly calls: number
  readonly fromCache: boolean
  readonly estimated: boolean
  /** As they stand on the step's record. */
  readonly savings: readonly Saving[]
}

/**
 * Paid calls: limits and budgets before (rules L), the provider with its retries (Q5), the ledger after (M3), answers kept
 * by content for the same tenant (Q6). `stage` names the step inside its job: `<job>:<stage>` is booked once for ever, and a
 * step whose answer is kept is never bought again. Rejects with FaultError: `budget_spent`, `rate_limited`,
 * `upstream_unavailable`, `model_not_found`, `model_not_priced`, `store_unavailable`, `media_refused`, `max_cost_reached`.
 */
export interface MediaCalls {
  transcribe(
    payer: Payer,
    stage: string,
    call: TranscriptionCall & CallContext,
    signal: AbortSignal,
    onText?: (text: string) => void,
  ): Promise<Paid<TranscriptionAnswer>>
  describe(
    payer: Payer,
    stage: string,
    call: VisionCall & CallContext,
    signal: AbortSignal,
  ): Promise<Paid<VisionAnswer>>
  /** Books what a step has saved that bought nothing: a recording in which nobody speaks. Once for ever, like a purchase. */
  nothingBought(payer: Payer, stage: string, model: string, silence: Ms): readonly Saving[]
}
