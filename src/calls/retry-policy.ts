import { type Ms, ms } from '../units.ts'
import type { CallFailed } from './media-provider.ts'

/** How often one provider is asked for one thing, and how the waits between grow. */
export interface RetryPolicy {
  readonly attempts: number
  readonly backoff: { readonly first: Ms; readonly longest: Ms }
}

/** What follows a failed call: the same again after a wait, the model's next provider, or the end. */
export type AfterFailure =
  | { readonly type: 'again'; readonly wait: Ms }
  | { readonly type: 'elsewhere' }
  | { readonly type: 'give_up' }

/** A provider that wants to be left alone for longer is not waited for: whoever asked comes back by itself. */
export const LONGEST_PATIENCE = ms(60_000)

/**
 * Q5: decides what follows the `attempt`-th failure (from 1) at one provider. A wait is never shorter than what the provider
 * asked for, and otherwise anything from nothing to a bound that doubles (full jitter), so that many who failed together do
 * not come back together. `random`: 0 to 1. Pure.
 */
export function afterFailure(
  failure: Pick<CallFailed, 'kind' | 'retryAfter' | 'again'>,
  attempt: number,
  policy: RetryPolicy,
  random: number,
): AfterFailure {
  if (failure.kind === 'refused') return { type: 'give_up' }
  if (failure.kind === 'bad_credentials' || failure.again === false) return { type: 'elsewhere' }
  if (attempt >= policy.attempts) return { type: 'elsewhere' }
  const asked = failure.retryAfter ?? ms(0)
  if (asked > LONGEST_PATIENCE) return { type: 'elsewhere' }
  return { type: 'again', wait: ms(Math.max(asked, random * bound(policy, attempt))) }
}

/** The longest wait after the `attempt`-th failure, where the provider asks for none. */
export function bound({ backoff }: RetryPolicy, attempt: number): Ms {
  return ms(Math.min(backoff.longest, backoff.first * 2 ** Math.min(30, attempt - 1)))
}
