import type { Booked } from '../src/ledger/ledger.ts'
import type { Usage } from '../src/meter/usage.ts'
import type { BillRecord } from '../src/upstream/loopback/loopback-session.ts'
import { ask, type Evidence, type Finding, finding, recordsOf, refused, settled } from './evidence.ts'
import { type Count, countOf, NOTHING, plus, worthOf } from './tariff.ts'

/** A response that the provider finished this long before its line was lost may not have been heard of, ms. */
const IN_FLIGHT_MS = 2_000
/** What a broker had taken from the journal when it died is another's after 30 s (src/ledger/journal-reader.ts), ms. */
const READ_WITHIN_MS = 45_000

/** A bill with the session of ours that it belongs to; null where nobody can tell. */
export interface Owned {
  readonly bill: BillRecord
  readonly session: string | null
}

/** Finds the session of each bill: by the ledger, by what its caller saw, by another bill of the same provider session. */
export function owners({ provider, witness }: Evidence, records: readonly Booked[]): Owned[] {
  const byPurchase = new Map(records.map(({ record }) => [record.providerId, record.session]))
  const byLine = new Map<string, string>()
  for (const session of witness.sessions.values()) {
    for (const id of session.bought) byPurchase.set(id, byPurchase.get(id) ?? session.id)
    for (const line of session.providerSessions) byLine.set(line, session.id)
  }
  for (const bill of provider.bills) {
    const session = byPurchase.get(bill.id)
    if (session !== undefined && !byLine.has(bill.session)) byLine.set(bill.session, session)
  }
  return provider.bills.map((bill) => ({
    bill,
    session: byPurchase.get(bill.id) ?? byLine.get(bill.session) ?? null,
  }))
}

export interface Books {
  readonly findings: Finding[]
  readonly owned: Owned[]
  /** By the bill's id: nano-dollars of what was in flight that nobody knew of until it was told, beyond any estimate. */
  readonly unknown: ReadonlyMap<string, number>
}

/** M3: after the truth about what was in flight has been told, the ledger is the provider's own count. */
export async function checkBooks(evidence: Evidence): Promise<Books> {
  const waiting = await settled(evidence, READ_WITHIN_MS)
  const before = await recordsOf(evidence.ledger)
  const owned = owners(evidence, before)
  const known = Map.groupBy(before, ({ record }) => record.providerId)
  const unknown = new Map(
    owned.map(({ bill }) => {
      const booked = (known.get(bill.id) ?? []).reduce((sum, { record }) => sum + record.cost, 0)
      return [bill.id, Math.max(0, worthOf(bill.model, countOf(bill)).money - booked)]
    }),
  )
  const truths = await tellTruth(evidence, owned, before)
  const stillWaiting = await settled(evidence, READ_WITHIN_MS)
  const after = await recordsOf(evidence.ledger)
  return {
    findings: [
      finding('everything settled is in the ledger', 'nothing waits', [
        ...waiting,
        ...stillWaiting,
        ...(await refused(evidence)),
      ]),
      truths,
      compare(owned, after),
      await totals(evidence, owned),
    ],
    owned,
    unknown,
  }
}

/** Sends what only the provider knows. Each must have been in flight when its line was lost. */
async function tellTruth(evidence: Evidence, owned: readonly Owned[], records: readonly Booked[]): Promise<Finding> {
  const known = Map.groupBy(records, ({ record }) => record.providerId)
  const isTrue = ({ record }: Booked) => record.basis === 'usage' || record.basis === 'correction'
  const missing = owned.filter(({ bill }) => !(known.get(bill.id) ?? []).some(isTrue))
  const estimated = missing.filter(({ bill }) => known.has(bill.id)).length
  const broken = missing.flatMap(({ bill, session }) => {
    if (session === null) return [`${bill.kind} ${bill.id}: nobody knows its session`]
    const end = evidence.provider.closures.get(bill.session)
    const wasInFlight = end !== undefined && end.code !== 1000 && end.at - bill.at <= IN_FLIGHT_MS
    return wasInFlight
      ? []
      : [`${bill.kind} ${bill.id} of ${session}: closed with ${end?.code}, ${(end?.at ?? 0) - bill.at} ms after`]
  })
  const data = missing.flatMap(({ bill: { kind, id, model, usage, at }, session }) =>
    session === null ? [] : [{ session, kind, provider_id: id, model, usage, at: new Date(at).toISOString() }],
  )
  for (let from = 0; from < data.length; from += 200) {
    const answer = await ask<{ data: { outcome: string; id: string }[] }>(
      evidence,
      evidence.premises.admin.key,
      '/v1/usage/corrections',
      { data: data.slice(from, from + 200) },
    )
    broken.push(
      ...answer.data.filter(({ outcome }) => outcome !== 'booked').map(({ outcome, id }) => `${id}: ${outcome}`),
    )
  }
  const found = `${missing.length} told (${estimated} estimated, ${missing.length - estimated} unknown) of ${owned.length}`
  return finding('only what was in flight when a line was lost has to be told', found, broken)
}

function bookedCount(usage: Usage): Count {
  return {
    textIn: usage.in.text,
    audioIn: usage.in.audio,
    textCachedIn: usage.cached.text,
    audioCachedIn: usage.cached.audio,
    textOut: usage.out.text,
    audioOut: usage.out.audio,
    audioMs: usage.audioMs,
  }
}

/** Purchase by purchase. */
function compare(owned: readonly Owned[], records: readonly Booked[]): Finding {
  const booked = Map.groupBy(records, ({ record }) => record.providerId)
  const broken: string[] = []
  for (const { bill } of owned) {
    const entries = booked.get(bill.id) ?? []
    booked.delete(bill.id)
    const count = entries.reduce((sum, { record }) => plus(sum, bookedCount(record.usage)), NOTHING)
    const money = entries.reduce((sum, { record }) => sum + record.cost, 0)
    const billed = countOf(bill)
    const worth = worthOf(bill.model, billed)
    const isSame = Object.entries(billed).every(([name, n]) => count[name as keyof Count] === n)
    if (isSame && money === worth.money && new Set(entries.map(({ record }) => record.id)).size === 1) continue
    const bases = entries.map(({ record }) => `${record.basis} ${record.status} ${record.cost}`).join(' + ')
    broken.push(`${bill.kind} ${bill.id}: billed ${worth.money} nano, booked ${bases || 'nothing'}`)
  }
  for (const [id, entries] of booked) {
    const money = entries.reduce((sum, { record }) => sum + record.cost, 0)
    const written = entries.map(({ record }) => `${record.kind} ${record.basis} ${record.status}`).join(' + ')
    if (money !== 0)
      broken.push(`${id} of ${entries[0]?.record.session}: booked ${money} nano (${written}), never billed`)
  }
  return finding(
    'each purchase is booked as it was billed, once',
    `${owned.length} bills, ${records.length} records`,
    broken,
  )
}

interface UsageRow {
  cost: { nano: number }
  tokens: Record<'input' | 'cached' | 'output', { text: number; audio: number; unsplit: number }>
  audio_seconds: number
}

/** The sums that the API shows. */
async function totals(evidence: Evidence, owned: readonly Owned[]): Promise<Finding> {
  const { data } = await ask<{ data: UsageRow[] }>(evidence, evidence.premises.admin.key, '/v1/usage?group_by=')
  const [row] = data
  const billed = owned.reduce((sum, { bill }) => plus(sum, countOf(bill)), NOTHING)
  const money = owned.reduce((sum, { bill }) => sum + worthOf(bill.model, countOf(bill)).money, 0)
  const shown = {
    textIn: row?.tokens.input.text,
    audioIn: row?.tokens.input.audio,
    textCachedIn: row?.tokens.cached.text,
    audioCachedIn: row?.tokens.cached.audio,
    textOut: row?.tokens.output.text,
    audioOut: row?.tokens.output.audio,
    audioMs: Math.round((row?.audio_seconds ?? 0) * 1_000),
  }
  const broken = (Object.keys(shown) as (keyof Count)[]).flatMap((name) =>
    shown[name] === billed[name] ? [] : [`${name}: billed ${billed[name]}, shown ${shown[name]}`],
  )
  if (row?.cost.nano !== money) broken.push(`cost: billed ${money}, shown ${row?.cost.nano}`)
  const tokens = billed.textIn + billed.audioIn + billed.textOut + billed.audioOut
  return finding('GET /v1/usage is the provider’s own sum', `${tokens} tokens, ${money} nano-dollars`, broken)
}
