import type { LedgerRecord } from '../meter/record.ts'
import { usageDifference } from '../meter/usage.ts'
import { nanoUsd, tokens } from '../units.ts'
import type { Posting } from './ledger.ts'

/**
 * M3: what becomes of a record, given what is held under its id already: what to book, or null.
 *
 * Redis sees to it that of one purchase either a `usage` or an `estimate` and its `correction` arrive. This holds the
 * line where Redis has forgotten (a lost disk, the 48 h it keeps ids): the truth stays booked once. Records of one id may
 * arrive in any order, because several readers take from one journal.
 */
export function admit(posting: Posting, held: readonly Posting[]): Posting | null {
  const { record } = posting
  const has = (basis: LedgerRecord['basis']) => held.some((other) => other.record.basis === basis)
  if (has(record.basis) || has('usage')) return null
  if (record.basis !== 'usage') return posting
  // An estimate that was corrected already is the truth.
  if (has('correction')) return null
  const estimate = held.find((other) => other.record.basis === 'estimate')
  if (estimate === undefined) return posting
  return { record: correctionOf(estimate.record, record), booked: estimate.booked }
}

/** The difference between the truth and the estimate booked before it. */
function correctionOf(estimate: LedgerRecord, truth: LedgerRecord): LedgerRecord {
  return {
    ...truth,
    basis: 'correction',
    // The two add up only where they are counted together.
    at: estimate.at,
    tenant: estimate.tenant,
    user: estimate.user,
    session: estimate.session,
    model: estimate.model,
    usage: usageDifference(truth.usage, estimate.usage),
    cost: nanoUsd(truth.cost - estimate.cost),
    weighted: tokens(truth.weighted - estimate.weighted),
    savings: estimate.savings.length === 0 ? truth.savings : [],
  }
}
