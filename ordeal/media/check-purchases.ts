import type { Booked } from '../../src/ledger/ledger.ts'
import { keys } from '../../src/store/keys.ts'
import { type Finding, finding, recordsOf, until } from '../evidence.ts'
import type { MediaEvidence } from './media-evidence.ts'

/** What a reader of the journal held when it died is another's after 30 s. */
const BOOKED_WITHIN_MS = 60_000

/** One record for every paid call; what was in flight when a process died stands as an estimate. */
export async function checkPurchases(evidence: MediaEvidence): Promise<Finding[]> {
  const { redis, ledger, bills } = evidence
  const { left } = await until(async () => {
    const waiting = await redis.xlen(keys.journal(keys.limits))
    return waiting > 0 ? [`${waiting} entries in the journal`] : []
  }, BOOKED_WITHIN_MS)
  const records = (await recordsOf(ledger)).filter(({ record }) => record.kind === 'stage')
  return [
    finding('everything settled is in the ledger', 'nothing waits', left),
    compare(bills, records),
    stages(records),
  ]
}

function compare(bills: MediaEvidence['bills'], records: readonly Booked[]): Finding {
  const byPurchase = Map.groupBy(records, ({ record }) => record.providerId)
  const known = new Set(bills.map(({ id }) => id))
  const broken: string[] = []
  let unheard = 0
  for (const { id, path } of bills) {
    const count = byPurchase.get(id)?.length ?? 0
    if (count > 1) broken.push(`${id} (${path}) is booked ${count} times`)
    if (count === 0) unheard++
  }
  const estimates = records.filter(({ record }) => record.basis === 'estimate' && !known.has(record.providerId))
  const invented = records.filter(({ record }) => record.basis !== 'estimate' && !known.has(record.providerId))
  broken.push(...invented.map(({ record }) => `${record.id} was bought nowhere`))
  // An answer that nobody heard was bought by a call that is booked at its worst case.
  if (unheard > estimates.length)
    broken.push(`${unheard} bills were heard by nobody, ${estimates.length} are estimated`)
  const found = `${bills.length} calls, ${bills.length - unheard} booked as billed, ${estimates.length} estimated`
  return finding('one record for every paid call', found, broken)
}

/** A part that has a result is not bought again: a second purchase of a step follows only on one that gave no answer. */
function stages(records: readonly Booked[]): Finding {
  const byStep = Map.groupBy(records, ({ record }) => record.id.replace(/#\d+$/, ''))
  const broken: string[] = []
  let again = 0
  for (const [step, all] of byStep) {
    const answered = all.filter(({ record }) => record.basis === 'usage' && record.status === 'completed')
    if (answered.length > 1) broken.push(`${step} was answered ${answered.length} times`)
    if (all.length > 1) again++
  }
  return finding(
    'no step is paid for twice once it has its answer',
    `${byStep.size} steps, ${again} tried again`,
    broken,
  )
}
