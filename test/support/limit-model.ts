import type { Account, Holding, LimitKind } from '../../src/limits/limits.ts'
import { hold } from './limits.ts'

interface Lease {
  readonly accounts: readonly Account[]
  hasSlot: boolean
  held: Holding
  ends: number
  readonly running: Map<string, Holding>
}

/** Something bought; the truth about an estimate takes its place. */
interface Bought {
  readonly id: string
  readonly accounts: readonly Account[]
  readonly at: number
  amount: Holding
  isEstimate: boolean
}

export type Verdict = { ok: true; held: Holding } | { ok: false; account: string; limit: LimitKind }

const LEASE = 15_000
const secondOf = (at: number) => Math.floor(at / 1_000)
const days = new Map<number, string>()
/** `YYYY-MM-DD`, as the platform has it. */
function dayOf(at: number): string {
  const number = Math.floor(at / 86_400_000)
  const day = days.get(number) ?? new Date(at).toISOString().slice(0, 10)
  days.set(number, day)
  return day
}
const name = (account: Account) => `${account.kind}:${account.id}`
const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0)

/**
 * What a limit store must answer, in the plainest terms: lists of what was bought and who holds what, added up anew for
 * every question. Times in epoch ms. A second counts in a minute for as long as any of it may lie in the last 60 s.
 */
export class LimitModel {
  readonly leases = new Map<string, Lease>()
  readonly bought: Bought[] = []
  readonly #starts: { accounts: readonly Account[]; at: number }[] = []

  admit(session: string, accounts: readonly Account[], now: number): Verdict {
    this.reap(now)
    const lease = this.leases.get(session)
    if (lease?.hasSlot) {
      lease.ends = now + LEASE
      lease.held = this.#takeOver(lease, now)
      return { ok: true, held: lease.held }
    }
    for (const account of accounts) {
      const { sessions, startsPerMinute } = account.limits
      const refused = (limit: LimitKind): Verdict => ({ ok: false, account: account.kind, limit })
      if (sessions !== null && this.slots(account) >= sessions) return refused('sessions')
      if (startsPerMinute !== null && this.starts(account, now) >= startsPerMinute) return refused('starts')
      for (const [limit, cap] of caps(account)) if (this.spent(account, limit, now) >= cap) return refused(limit)
    }
    this.#starts.push({ accounts, at: now })
    const held = lease === undefined ? hold(0, 0) : this.#takeOver(lease, now)
    this.leases.set(session, { accounts, hasSlot: true, held, ends: now + LEASE, running: new Map() })
    return { ok: true, held }
  }

  reserve(session: string, accounts: readonly Account[], ask: Ask, now: number): Verdict {
    this.reap(now)
    const share = ask.standing ? 2 : 1
    let { money, tokens } = ask.want as { money: number; tokens: number }
    for (const account of accounts) {
      const others = this.held(account, session)
      const refused = (limit: LimitKind): Verdict => ({ ok: false, account: account.kind, limit })
      const { tokensPerMinute } = account.limits
      if (tokensPerMinute !== null) {
        const free = Math.floor((tokensPerMinute - this.settled(account, now)) / share) - others.tokens
        if (Math.max(0, free) < ask.least.tokens) return refused('tokens')
        tokens = Math.min(tokens, Math.max(0, free))
      }
      for (const [limit, cap] of caps(account)) {
        const free = Math.floor((cap - this.spent(account, limit, now)) / share) - others.money
        if (Math.max(0, free) < ask.least.money) return refused(limit)
        money = Math.min(money, Math.max(0, free))
      }
    }
    const held = hold(money, tokens)
    const lease = this.leases.get(session)
    if (lease) lease.held = held
    else this.leases.set(session, { accounts, hasSlot: false, held, ends: now + LEASE, running: new Map() })
    return { ok: true, held }
  }

  /** True once per id and truth. */
  settle(
    session: string,
    accounts: readonly Account[],
    id: string,
    amount: Holding,
    keep: Holding | null,
    now: number,
  ) {
    const known = this.bought.find((b) => b.id === id)
    const lease = this.leases.get(session)
    lease?.running.delete(id)
    const take = (taken: Holding) => {
      if (!lease || !keep) return
      const left = (kept: number, held: number, less: number) => Math.min(kept, Math.max(0, held - less))
      lease.held = hold(
        left(keep.money, lease.held.money, taken.money),
        left(keep.tokens, lease.held.tokens, taken.tokens),
      )
    }
    if (known) {
      if (!known.isEstimate) return false
      const more = (now: number, before: number) => Math.max(0, now - before)
      take(hold(more(amount.money, known.amount.money), more(amount.tokens, known.amount.tokens)))
      known.amount = amount
      known.isEstimate = false
      return true
    }
    this.bought.push({ id, accounts, at: now, amount, isEstimate: false })
    take(amount)
    return true
  }

  beat(sessions: Iterable<string>, now: number): void {
    for (const session of sessions) (this.leases.get(session) as Lease).ends = now + LEASE
  }

  reap(now: number): void {
    for (const [session, lease] of this.leases) if (lease.ends <= now) this.end(session, now)
  }

  end(session: string, now: number): void {
    const lease = this.leases.get(session)
    if (lease !== undefined) this.#bookRunning(lease, now)
    this.leases.delete(session)
  }

  /** What a lease still holds when its session goes on at another node. */
  #takeOver(lease: Lease, now: number): Holding {
    const booked = this.#bookRunning(lease, now)
    return hold(Math.max(0, lease.held.money - booked.money), Math.max(0, lease.held.tokens - booked.tokens))
  }

  #bookRunning({ accounts, running }: Lease, now: number): Holding {
    let [money, tokens] = [0, 0]
    for (const [id, amount] of running) {
      if (this.bought.some((b) => b.id === id)) continue
      this.bought.push({ id, accounts, at: now, amount, isEstimate: true })
      money += amount.money
      tokens += amount.tokens
    }
    running.clear()
    return hold(money, tokens)
  }

  slots(account: Account): number {
    return this.#leasesOf(account).filter((lease) => lease.hasSlot).length
  }

  starts(account: Account, now: number): number {
    return this.#starts.filter((s) => secondOf(s.at) >= secondOf(now) - 60 && has(s.accounts, account)).length
  }

  held(account: Account, except?: string): Holding {
    const leases = [...this.leases].filter(([s, l]) => s !== except && has(l.accounts, account)).map(([, l]) => l)
    return hold(sum(leases.map((l) => l.held.money)), sum(leases.map((l) => l.held.tokens)))
  }

  settled(account: Account, now: number): number {
    const recent = this.#boughtBy(account).filter((b) => secondOf(b.at) >= secondOf(now) - 60)
    return sum(recent.map((b) => b.amount.tokens))
  }

  spent(account: Account, limit: 'budget' | 'day' | 'month', now: number): number {
    const length = { budget: 0, day: 10, month: 7 }[limit]
    const period = dayOf(now).slice(0, length)
    const inPeriod = this.#boughtBy(account).filter((b) => dayOf(b.at).slice(0, length) === period)
    return sum(inPeriod.map((b) => b.amount.money))
  }

  room(accounts: readonly Account[], now: number): { money: number | null; tokens: number | null } {
    const money = accounts.flatMap((account) =>
      caps(account).map(([limit, cap]) => cap - this.spent(account, limit, now) - this.held(account).money),
    )
    const tokens = accounts.flatMap((account) => {
      const limit = account.limits.tokensPerMinute
      return limit === null ? [] : [limit - this.settled(account, now) - this.held(account).tokens]
    })
    const tightest = (rooms: number[]) => (rooms.length === 0 ? null : Math.max(0, Math.min(...rooms)))
    return { money: tightest(money), tokens: tightest(tokens) }
  }

  /** What L3 and L5 promise, to the millisecond: the first limit that has been passed; null when none has. */
  broken(accounts: readonly Account[], now: number): string | null {
    for (const account of accounts) {
      const minute = this.#boughtBy(account).filter((b) => b.at > now - 60_000)
      const tokens = sum(minute.map((b) => b.amount.tokens))
      if (tokens > (account.limits.tokensPerMinute ?? Infinity)) return `${name(account)} bought ${tokens} in a minute`
      const begun = this.#starts.filter((s) => s.at > now - 60_000 && has(s.accounts, account)).length
      if (begun > (account.limits.startsPerMinute ?? Infinity)) return `${name(account)} began ${begun} in a minute`
      if (this.slots(account) > (account.limits.sessions ?? Infinity)) return `${name(account)} has too many slots`
      for (const [limit, cap] of caps(account)) {
        if (this.spent(account, limit, now) > cap) return `${name(account)} is over its ${limit}`
      }
    }
    return null
  }

  #leasesOf(account: Account): Lease[] {
    return [...this.leases.values()].filter((lease) => has(lease.accounts, account))
  }

  #boughtBy(account: Account): Bought[] {
    return this.bought.filter((b) => has(b.accounts, account))
  }
}

export interface Ask {
  readonly want: Holding
  readonly least: Holding
  readonly standing: boolean
}

const has = (accounts: readonly Account[], account: Account) => accounts.some((a) => name(a) === name(account))

function caps({ limits }: Account): ['budget' | 'day' | 'month', number][] {
  const all = [
    ['budget', limits.budget],
    ['day', limits.perDay],
    ['month', limits.perMonth],
  ] as const
  return all.flatMap(([limit, cap]) => (cap === null ? [] : [[limit, cap] as ['budget' | 'day' | 'month', number]]))
}
