import type { Booked } from '../src/ledger/ledger.ts'
import type { Owned } from './check-books.ts'
import { type Evidence, type Finding, finding } from './evidence.ts'
import { type Caps, MODEL, MOST_OUTPUT, SPEECH_AHEAD_MS, TRANSCRIBERS } from './premises.ts'
import { countOf, NOTHING, type Worth, worthOf } from './tariff.ts'
import type { Attempt, Refusal, SessionSeen } from './witness.ts'

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
  readonly kind: Exclude<Refusal['account'], 'any'>
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

const NOBODY = { session: '', tenant: '', user: null }

interface Bought extends Worth {
  /** What of it was in flight when its line was lost, beyond any estimate: nobody knew until the provider's bill, nano. */
  readonly unknown: number
  readonly at: number
  readonly whose: { session: string | null; tenant: string; user: string | null }
}

/** L3, L5: what the provider has billed to each account, against its limits. */
export function checkSpending(
  evidence: Evidence,
  owned: readonly Owned[],
  unknown: ReadonlyMap<string, number>,
): Finding[] {
  const bought = owned.map(({ bill, session }): Bought => {
    const seen = session === null ? undefined : evidence.witness.sessions.get(session)
    const whose = { session, tenant: seen?.tenant ?? '', user: seen?.user ?? null }
    return {
      ...worthOf(bill.model, countOf(bill)),
      at: bill.at,
      whose,
      unknown: unknown.get(bill.id) ?? 0,
    }
  })
  const accounts = accountsOf(evidence)
  return [overspend(accounts, bought), rates(accounts, bought)]
}

function overspend(accounts: readonly Account[], bought: readonly Bought[]): Finding {
  const broken: string[] = []
  const nearest = { session: 0, user: 0, tenant: 0, installation: 0 }
  const over: number[] = []
  let limited = 0
  for (const { name, kind, caps, has } of accounts) {
    if (caps.money === null) continue
    limited++
    const own = bought.filter(({ whose }) => has(whose))
    const spent = own.reduce((sum, { money }) => sum + money, 0)
    const unknown = own.reduce((sum, bill) => sum + bill.unknown, 0)
    nearest[kind] = Math.max(nearest[kind], spent / caps.money)
    const above = spent - caps.money
    if (above > 0) over.push(above)
    if (above > unknown)
      broken.push(
        `${kind} ${name}: ${spent} of ${caps.money} nano, over by ${above}, of which ${unknown} nobody could know`,
      )
  }
  const shares = Object.entries(nearest).map(([kind, share]) => `${kind} ${(share * 100).toFixed(1)} %`)
  return finding(
    'overspend 0 for every account, but for what was in flight at a kill unknown to all',
    `${limited} accounts, ${over.length} over their budget by that (at most ${Math.max(0, ...over)} nano); the fullest: ${shares.join(', ')}`,
    broken,
  )
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
  /** What was left of the account then, and what it has to be less than. */
  const judge = ({ caps, has }: Account, refusal: Refusal): { left: number; of: number } => {
    const active = [...witness.sessions.values()].filter((s) => has({ ...s, session: s.id }) && isActive(s, refusal.at))
    const tries = (within: number, outcome: Attempt['outcome'] | null) =>
      witness.attempts.filter(
        (a) =>
          (outcome === null || a.outcome === outcome) && has({ ...a, session: null }) && isNear(a, refusal.at, within),
      ).length
    const unsure = tries(LEASE_MS, 'unsure')
    if (refusal.limit === 'sessions')
      return { left: (caps.sessions ?? Number.POSITIVE_INFINITY) - active.length - unsure, of: 1 }
    if (refusal.limit === 'starts')
      return { left: (caps.startsPerMinute ?? Number.POSITIVE_INFINITY) - tries(WINDOW_MS, null), of: 1 }
    const counted = booked.filter(
      (b) => b.booked <= refusal.at + UNSURE_MS && has(whoseOf.get(b.record.session) ?? NOBODY),
    )
    const slices = [
      ...active.map((s) => slice(bills.get(s.id) ?? [], refusal.at)),
      ...Array(unsure + 1).fill(slice([], 0)),
    ]
    if (refusal.limit === 'money') {
      const spent = counted.reduce((sum, { record }) => sum + record.cost, 0)
      const isAtDoor = refusal.session === null && refusal.account !== 'any'
      return {
        left: (caps.money ?? Number.POSITIVE_INFINITY) - spent,
        of: isAtDoor ? 1 : slices.reduce((sum, s) => sum + s.money, 0),
      }
    }
    const recent = counted.filter((b) => b.booked > refusal.at - WINDOW_MS - UNSURE_MS)
    const used = recent.reduce((sum, { record }) => sum + record.weighted, 0)
    return {
      left: (caps.tokensPerMinute ?? Number.POSITIVE_INFINITY) - used,
      of: slices.reduce((sum, s) => sum + s.tokens, 0),
    }
  }
  const broken: string[] = []
  const kinds = new Map<string, number>()
  let tightest = 0
  for (const refusal of witness.refusals) {
    const title = `${refusal.session === null ? 'door' : 'response'} ${refusal.account} ${refusal.limit}`
    kinds.set(title, (kinds.get(title) ?? 0) + 1)
    const meant = accounts.filter(
      ({ kind, has }) => has(refusal) && (refusal.account === 'any' || kind === refusal.account),
    )
    // Where the account was not named, it is enough that one of those it can have been had no more to give.
    const unused = meant.map((account) => judge(account, refusal)).sort((a, b) => a.left / a.of - b.left / b.of)
    const [best] = unused
    if (best === undefined) broken.push(`${title}: no such account`)
    else if (best.left >= best.of)
      broken.push(`${title} at ${new Date(refusal.at).toISOString()}: ${best.left} left, bound ${best.of}`)
    else if (best.of > 1) tightest = Math.max(tightest, best.left / best.of)
  }
  const counts = [...kinds].sort().map(([kind, n]) => `${kind} ${n}`)
  const found = `${witness.refusals.length} refusals (${counts.join('; ')}); at most ${(tightest * 100).toFixed(0)} % of the bound unused`
  return finding('no refusal while more than a slice for each active session was left', found, broken)
}

function isActive({ from, to, isClean }: SessionSeen, at: number): boolean {
  return from - UNSURE_MS <= at && at <= to + (isClean ? UNSURE_MS : LEASE_MS)
}

const isNear = ({ from, to }: Attempt, at: number, within: number) =>
  from <= at + UNSURE_MS && at <= to + within + UNSURE_MS

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
