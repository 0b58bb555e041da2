import type { AccountKind } from '../limits/limits.ts'
import { addNano, earlier, type Instant, ms, type NanoUsd, nanoUsd } from '../units.ts'
import type { CounterName, SpendCounters } from './counters.ts'
import type { Journal } from './journal.ts'
import { accountsOfRecord, type Ledger, type LedgerAccount, type Posting } from './ledger.ts'
import { dayOf, LIFE, monthOf, type Period } from './period.ts'

/** Accounts of one kind whose counters are put back, dearest first. */
const MOST_ACCOUNTS = 10_000
/** A session that has booked nothing for so long is over, or has nothing to lose. */
const SESSIONS_HEARD_WITHIN = ms(24 * 3_600_000)
const PAGE = 500
/** Passes over what was booked meanwhile. Each takes milliseconds and sees only what came during the last one. */
const MOST_PASSES = 1_000

export interface RebuildDeps {
  ledger: Ledger
  journal: Journal
  counters: SpendCounters
  nameOf: CounterName
}

interface Target {
  readonly account: LedgerAccount
  readonly period: Period
  nano: NanoUsd
}

/**
 * L7: puts back the counters that Redis has lost, while sessions go on booking: each becomes what the ledger has and what
 * still waits in the journal. May be repeated. Nobody may move entries from the journal to the ledger meanwhile. Returns
 * how many counters were set.
 */
export async function rebuildCounters(deps: RebuildDeps, now: Instant): Promise<number> {
  const { ledger, journal, counters, nameOf } = deps
  const targets = await fromLedger(ledger, now)
  const dirty = new Set(targets.keys())
  let last = '0-0'
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const entries = await journal.after(last, PAGE)
    const waiting = entries.flatMap(({ posting }) => posting ?? [])
    for (const posting of await notIn(ledger, waiting)) {
      for (const target of countedIn(posting, now)) {
        const key = keyOf(target)
        const held = targets.get(key)
        if (held === undefined) targets.set(key, target)
        else held.nano = addNano(held.nano, target.nano)
        dirty.add(key)
      }
    }
    last = entries.at(-1)?.id ?? last
    if (entries.length === PAGE) continue
    if (dirty.size === 0) break
    // What is booked between the reading above and the writing here is in the journal, so that the next pass sees it.
    for (const key of dirty) {
      const { account, period, nano } = targets.get(key) as Target
      await counters.setSpent(nameOf(account), period, nano)
    }
    dirty.clear()
  }
  return targets.size
}

async function fromLedger(ledger: Ledger, now: Instant): Promise<Map<string, Target>> {
  const targets = new Map<string, Target>()
  const add = async (kind: AccountKind, period: Period, heard = period) => {
    for (const { account, nano } of await ledger.spenders(kind, heard, MOST_ACCOUNTS)) {
      const target = { account, period, nano }
      targets.set(keyOf(target), target)
    }
  }
  for (const kind of ['installation', 'tenant', 'user'] as const) {
    for (const period of [LIFE, monthOf(now), dayOf(now)]) await add(kind, period)
  }
  await add('session', LIFE, { ...LIFE, from: earlier(now, SESSIONS_HEARD_WITHIN) })
  return targets
}

/** An entry may be in the ledger already, where its reader died before it could acknowledge it. */
async function notIn(ledger: Ledger, postings: readonly Posting[]): Promise<Posting[]> {
  const found = await ledger.find(postings.map(({ record }) => record.id))
  const known = new Set(found.map(({ record }) => `${record.basis} ${record.id}`))
  return postings.filter(({ record }) => !known.has(`${record.basis} ${record.id}`))
}

function countedIn({ record, booked }: Posting, now: Instant): Target[] {
  const current = [LIFE, monthOf(now), dayOf(now)].filter((period) => period.from <= booked && booked < period.to)
  return accountsOfRecord(record).flatMap((account) =>
    current
      .filter((period) => account.kind !== 'session' || period.limit === 'budget')
      .map((period) => ({ account, period, nano: nanoUsd(record.cost) })),
  )
}

const keyOf = ({ account, period }: Pick<Target, 'account' | 'period'>): string =>
  JSON.stringify([account, period.name])
