import type { Booked } from '../src/ledger/ledger.ts'
import type { Owned } from './check-books.ts'
import { type Evidence, type Finding, finding } from './evidence.ts'
import { type Caps, MODEL, MOST_OUTPUT, SPEECH_AHEAD_MS, TRANSCRIBERS } from './premises.ts'
import { countOf, NOTHING, type Worth, worthOf } from './tariff.ts'
import type { Refusal, SessionSeen } from './witness.ts'

const MINUTE_MS = 60_000
const RATE_SLACK = 1.05
/** Between what Redis decides and what a caller sees of it, either way, ms. */
const UNSURE_MS = 1_500
/** A second counts as long as any part of it may lie in the last 60 s (src/store/scripts/limits/prelude.lua). */
const WINDOW_MS = 61_000
/** A session whose end nobody heard of may hold what it held for a lease and a beat more, ms; any other until it is told. */
const LEASE_MS = 15_000 + 5_000
/** A lease is asked for with so much to spare (src/limits/gate.ts). */
const SPARE = 1.1
/** Tokens of text and speech that a session of this ordeal adds, at the most, before its next bill says so: bytes as tokens. */
const ADDED_TEXT = 600
const ADDED_SPEECH = 250

interface Account {
  readonly name: string
  readonly caps: Caps
  readonly kind: Refusal['account']
  has(whose: { session: string | null; tenant: string; user: string | null }): boolean
}

/** Every account that the run has touched, by the callers' own account of it. */
function accountsOf({ premises, witness }: Evidence): Account[] {
  const accounts: Account[] = [
    { name: 'installation', kind: 'installation', caps: premises.installation, has: () => true },
  ]
  for (const [tenant, { terms }] of premises.tenants) {
    accounts.push({ name: tenant, kind: 'tenant', caps: terms.tenant, has: (whose) => whose.tenant === tenant })
  }
  const seen = [...witness.sessions.values(), ...witness.attempts]
  const users = new Map(
    seen.flatMap(({ tenant, user }) => (user === null ? [] : [[`${tenant} ${user}`, { tenant, user }]])),
  )
  for (const [name, { tenant, user }] of users) {
    const caps = premises.tenants.get(tenant)?.terms.user as Caps
    accounts.push({ name, kind: 'user', caps, has: (whose) => whose.tenant === tenant && whose.user === user })
  }
  for (const session of witness.sessions.values()) {
    const caps = premises.tenants.get(session.tenant)?.terms.session as Caps
    accounts.push({ name: session.id, kind: 'session', caps, has: (whose) => whose.session === session.id })
  }
  return accounts
}

interface Bought extends Worth {
  readonly at: number
  readonly whose: { session: string | null; tenant: string; user: string | null }
}

/** L3, L5: what the provider has billed to each account, against its limits. */
export function checkSpending(evidence: Evidence, owned: readonly Owned[]): Finding[] {
  const bought = owned.map(({ bill, session }): Bought => {
    const seen = session === null ? undefined : evidence.witness.sessions.get(session)
    const whose = { session, tenant: seen?.tenant ?? '', user: seen?.user ?? null }
    return { ...worthOf(bill.model, countOf(bill)), at: bill.at, whose }
  })
  const accounts = accountsOf(evidence)
  return [overspend(accounts, bought), rates(accounts, bought)]
}

function overspend(accounts: readonly Account[], bought: readonly Bought[]): Finding {
  const broken: string[] = []
  const nearest = { session: 0, user: 0, tenant: 0, installation: 0 }
  let limited = 0
  for (const { name, kind, caps, has } of accounts) {
    if (caps.money === null) continue
    limited++
    const spent = bought.reduce((sum, { whose, money }) => (has(whose) ? sum + money : sum), 0)
    nearest[kind] = Math.max(nearest[kind], spent / caps.money)
    if (spent > caps.money)
      broken.push(`${kind} ${name}: ${spent} of ${caps.money} nano, over by ${spent - caps.money}`)
  }
  const shares = Object.entries(nearest).map(([kind, share]) => `${kind} ${(share * 100).toFixed(1)} %`)
  return finding('overspend 0 for every account', `${limited} accounts; the fullest: ${shares.join(', ')}`, broken)
}

function rates(accounts: readonly Account[], bought: readonly Bought[]): Finding {
  const broken: string[] = []
  const fullest = { session: 0, user: 0, tenant: 0, installation: 0 }
  for (const { name, kind, caps, has } of accounts) {
    const limit = caps.tokensPerMinute
    if (limit === null) continue
    const most = fullestMinute(bought.filter(({ whose }) => has(whose)))
    fullest[kind] = Math.max(fullest[kind], most / limit)
    if (most > limit * RATE_SLACK) broken.push(`${kind} ${name}: ${most} weighted tokens in 60 s, limit ${limit}`)
  }
  const shares = Object.entries(fullest).map(([kind, share]) => `${kind} ${(share * 100).toFixed(1)} %`)
  return finding('tokens in any 60 s ≤ limit × 1.05', `fullest: ${shares.join(', ')}`, broken)
}

function fullestMinute(bought: readonly Bought[]): number {
  const sorted = bought.toSorted((a, b) => a.at - b.at)
  let sum = 0
  let most = 0
  let first = 0
  for (const { at, tokens } of sorted) {
    sum += tokens
    for (let old = sorted[first]; old !== undefined && old.at <= at - MINUTE_MS; old = sorted[++first])
      sum -= old.tokens
    most = Math.max(most, sum)
  }
  return most
}

/**
 * No refusal while room was left. What a refusal of an account may leave unused is bounded: every session active in it may
 * hold one worst-case response, the one refused among them. So at each refusal: limit − what the ledger had booked by then
 * (estimates as they were booked, corrections left out) < the sum of those. At the door there is no such slack: as many
 * sessions, or starts, or as much money as the limit says must be there.
 */
export function checkRefusals(evidence: Evidence, owned: readonly Owned[], records: readonly Booked[]): Finding {
  const accounts = accountsOf(evidence)
  const { witness } = evidence
  const bills = Map.groupBy(owned, ({ session }) => session ?? '')
  const booked = records.filter(({ record }) => record.basis !== 'correction')
  const whoseOf = new Map(
    [...witness.sessions.values()].map((s) => [s.id, { session: s.id, tenant: s.tenant, user: s.user }]),
  )
  const broken: string[] = []
  const kinds = new Map<string, number>()
  let tightest = 0
  for (const refusal of witness.refusals) {
    const account = accounts.find(({ kind, has }) => kind === refusal.account && has(refusal))
    const title = `${refusal.session === null ? 'door' : 'response'} ${refusal.account} ${refusal.limit}`
    kinds.set(title, (kinds.get(title) ?? 0) + 1)
    if (account === undefined) {
      broken.push(`${title}: no such account`)
      continue
    }
    const { caps, has } = account
    const active = [...witness.sessions.values()].filter((s) => has({ ...s, session: s.id }) && isActive(s, refusal.at))
    const unsure = witness.attempts.filter(
      (a) => a.outcome === 'unsure' && has({ ...a, session: null }) && isNear(a.from, refusal.at, LEASE_MS),
    )
    const until = refusal.at + UNSURE_MS
    const counted = booked.filter(
      (b) => b.booked <= until && has(whoseOf.get(b.record.session) ?? { session: '', tenant: '', user: null }),
    )
    const money = counted.reduce((sum, { record }) => sum + record.cost, 0)
    const slices = [...active.map((s) => slice(bills.get(s.id) ?? [], refusal.at)), ...unsure.map(() => slice([], 0))]
    const bound = slices.reduce((sum, s) => ({ money: sum.money + s.money, tokens: sum.tokens + s.tokens }), {
      money: 0,
      tokens: 0,
    })
    const say = (left: number, of: number) =>
      `${title} at ${new Date(refusal.at).toISOString()}: ${left} left, ${active.length} + ${unsure.length} sessions may hold ${of}`
    switch (refusal.limit) {
      case 'sessions': {
        const places = active.length + unsure.length
        if (places < (caps.sessions ?? Number.POSITIVE_INFINITY))
          broken.push(say((caps.sessions ?? 0) - places, places))
        continue
      }
      case 'starts': {
        const starts = witness.attempts.filter(
          (a) => has({ ...a, session: null }) && isNear(a.from, refusal.at, WINDOW_MS),
        )
        if (starts.length < (caps.startsPerMinute ?? 0))
          broken.push(say((caps.startsPerMinute ?? 0) - starts.length, 0))
        continue
      }
      case 'money': {
        const left = (caps.money ?? Number.POSITIVE_INFINITY) - money
        const of = refusal.session === null ? 1 : bound.money
        if (left >= of) broken.push(say(left, of))
        else tightest = Math.max(tightest, left / of)
        continue
      }
      case 'tokens': {
        const recent = counted.filter((b) => b.booked > refusal.at - WINDOW_MS - UNSURE_MS)
        const left =
          (caps.tokensPerMinute ?? Number.POSITIVE_INFINITY) -
          recent.reduce((sum, { record }) => sum + record.weighted, 0)
        if (left >= bound.tokens) broken.push(say(left, bound.tokens))
        else tightest = Math.max(tightest, left / bound.tokens)
      }
    }
  }
  const counts = [...kinds].sort().map(([kind, n]) => `${kind} ${n}`)
  const found = `${witness.refusals.length} refusals (${counts.join('; ')}); at most ${(tightest * 100).toFixed(0)} % of the bound unused`
  return finding('no refusal while more than a slice for each active session was left', found, broken)
}

function isActive({ from, to, isClean }: SessionSeen, at: number): boolean {
  return from - UNSURE_MS <= at && at <= to + (isClean ? UNSURE_MS : LEASE_MS)
}

const isNear = (from: number, at: number, within: number) => from <= at + UNSURE_MS && at <= from + within + UNSURE_MS

/** The most that a session may hold: its next response with everything it reads uncached, and what is being written down. */
function slice(owned: readonly Owned[], at: number): Worth {
  const last = owned.findLast(({ bill }) => bill.kind === 'response' && bill.at <= at)
  const before = last === undefined ? NOTHING : countOf(last.bill)
  const speech = SPEECH_AHEAD_MS / 100 + ADDED_SPEECH
  const response = worthOf(MODEL, {
    ...NOTHING,
    textIn: before.textIn + before.textOut + ADDED_TEXT,
    audioIn: before.audioIn + before.audioOut + speech,
    audioOut: MOST_OUTPUT,
  })
  const written = worthOf(TRANSCRIBERS[1], { ...NOTHING, audioIn: speech, textOut: speech })
  const timed = worthOf(TRANSCRIBERS[0], { ...NOTHING, audioMs: speech * 100 })
  return {
    money: Math.ceil(SPARE * (response.money + written.money + timed.money)),
    tokens: Math.ceil(SPARE * (response.tokens + written.tokens + timed.tokens)),
  }
}
