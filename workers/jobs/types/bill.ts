import type { Paid, Payer } from '../../../src/calls/media-calls.ts'
import type { Job, JobUsage, Saved } from '../../../src/media/job.ts'
import type { Saving } from '../../../src/meter/savings.ts'
import { addNano, type NanoUsd, nanoUsd } from '../../../src/units.ts'

/** Who pays for a job's calls. */
export const payerOf = ({ tenant, user, keyId, id, maxCost, retention }: Job): Payer => ({
  ...{ tenant, user, keyId, job: id, maxCost },
  keep: retention.output,
})

/** What calls have cost and saved, in sum. */
export interface Bill extends JobUsage {
  readonly savings: readonly Saving[]
}

export const NO_BILL: Bill = { calls: 0, cost: nanoUsd(0), estimated: false, savings: [] }

export const billOf = (paid: Paid<unknown>): Bill => ({
  calls: paid.calls,
  cost: paid.cost,
  estimated: paid.estimated,
  savings: paid.savings,
})

export function addBills(bills: readonly Bill[]): Bill {
  return bills.reduce(
    (sum, bill) => ({
      calls: sum.calls + bill.calls,
      cost: addNano(sum.cost, bill.cost),
      estimated: sum.estimated || bill.estimated,
      savings: addSavings([...sum.savings, ...bill.savings]),
    }),
    NO_BILL,
  )
}

/** One line for each kind, at each price. */
function addSavings(lines: readonly Saving[]): Saving[] {
  const sums = new Map<string, Saving>()
  for (const line of lines) {
    const { kind, rowId, counterfactual, creditedTo, unit } = line
    const key = JSON.stringify([kind, rowId, counterfactual, creditedTo, unit])
    const sum = sums.get(key)
    sums.set(key, sum === undefined ? line : addLines(sum, line))
  }
  return [...sums.values()]
}

function addLines(a: Saving, b: Saving): Saving {
  const [paid, otherwise] = [addNano(a.paid, b.paid), addNano(a.otherwise, b.otherwise)]
  return { ...a, quantity: a.quantity + b.quantity, paid, otherwise, saved: addNano(a.saved, b.saved) }
}

/** What the bill says about savings. */
export function savedOn({ savings }: Bill): Pick<Saved, 'money' | 'lines'> {
  const ours = savings.filter(({ creditedTo }) => creditedTo === 'parley')
  return { money: ours.reduce((sum: NanoUsd, { saved }) => addNano(sum, saved), nanoUsd(0)), lines: savings }
}
