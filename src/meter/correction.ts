import { nanoUsd, tokens } from '../units.ts'
import type { LedgerRecord } from './record.ts'
import type { Saving } from './savings.ts'
import { usageDifference } from './usage.ts'

/**
 * M3: the record that makes an estimate right: added to it, usage, cost, weight and savings are those of `truth`. Both are
 * of the same id.
 */
export function correctionOf(truth: LedgerRecord, estimate: LedgerRecord): LedgerRecord {
  return {
    ...truth,
    basis: 'correction',
    usage: usageDifference(truth.usage, estimate.usage),
    cost: nanoUsd(truth.cost - estimate.cost),
    weighted: tokens(truth.weighted - estimate.weighted),
    savings: [...truth.savings, ...estimate.savings.map(takenBack)],
  }
}

/** The record as it is booked when nothing more is heard of what it is about. */
export function estimateOf(record: LedgerRecord): LedgerRecord {
  return { ...record, basis: 'estimate', estimated: true }
}

function takenBack(saving: Saving): Saving {
  return {
    ...saving,
    quantity: -saving.quantity,
    paid: nanoUsd(-saving.paid),
    otherwise: nanoUsd(-saving.otherwise),
    saved: nanoUsd(-saving.saved),
  }
}
