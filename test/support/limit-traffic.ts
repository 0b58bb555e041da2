import fc from 'fast-check'
import { expect } from 'vitest'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import type { Account, AccountLimits, Holding } from '../../src/limits/limits.ts'
import type { Store } from '../../src/store/store.ts'
import { type Ask, LimitModel } from './limit-model.ts'
import { account, hold, record, SimulatedLimits } from './limits.ts'

/** Most limits are absent or of a size that matters after a while: a plan that refuses everything shows little. */
const limit = (most: number) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(null) },
    { weight: 5, arbitrary: fc.integer({ min: Math.ceil(most / 4), max: most }) },
    { weight: 1, arbitrary: fc.nat(most) },
  )
const limits = (size: number) =>
  fc.record({
    sessions: limit(2 * size),
    startsPerMinute: limit(4 * size),
    tokensPerMinute: limit(300 * size),
    budget: limit(800 * size),
    perDay: limit(800 * size),
    perMonth: limit(1_200 * size),
  }) as fc.Arbitrary<unknown> as fc.Arbitrary<AccountLimits>

const step = fc.record({
  act: fc.constantFrom(
    ...(['admit', 'admit', 'admit', 'reserve', 'reserve', 'reserve', 'reserve', 'begin', 'begin', 'begin'] as const),
    ...(['finish', 'finish', 'finish', 'pass', 'pass', 'truth', 'crash', 'release', 'reap'] as const),
  ),
  who: fc.nat(3),
  money: fc.nat(500),
  tokens: fc.nat(300),
  percent: fc.nat(100),
  standing: fc.boolean(),
  /** As after a lost reply: asked on both nodes at once. */
  twice: fc.boolean(),
  ms: fc.oneof(fc.nat(2_000), fc.nat(30_000), fc.integer({ min: 57_000, max: 62_000 })),
})

/** A plan, and what happens under it. It begins near the end of a month, or in the middle of a day. */
export const scenario = fc.record({
  start: fc.oneof(
    fc.nat(120_000).map((ms) => Date.UTC(2026, 11, 1) - ms),
    fc.constant(Date.UTC(2026, 10, 25, 12)),
  ),
  session: limits(1),
  user: limits(1),
  tenant: limits(2),
  installation: limits(3),
  steps: fc.array(step, { minLength: 5, maxLength: 26, size: 'max' }),
})
export type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never
type Step = Scenario['steps'][number]

/** Plays a scenario against the real store and the model at once; rejects where they differ or a promise is broken. */
export async function play(redis: Store['redis'], plot: Scenario): Promise<void> {
  const traffic = new Traffic(redis, plot)
  for (const next of plot.steps) await traffic.take(next)
  await traffic.endAll()
}

class Traffic {
  readonly #redis: Store['redis']
  readonly #plot: Scenario
  readonly #limits: SimulatedLimits
  readonly #nodes: readonly [LimitStore, LimitStore]
  readonly #model = new LimitModel()
  /** Session by caller, as long as its node lives. */
  readonly #alive = new Map<number, string>()
  /** What was running in sessions that are gone: the provider's count may still arrive. */
  readonly #lost: { session: string; accounts: readonly Account[]; id: string; estimate: Holding }[] = []
  readonly #accounts = new Map<string, Account>()
  readonly #sessions: string[] = []
  #ids = 0

  constructor(redis: Store['redis'], plot: Scenario) {
    this.#redis = redis
    this.#plot = plot
    this.#limits = new SimulatedLimits(redis, plot.start)
    this.#nodes = [this.#limits.store, this.#limits.another()]
  }

  async take(next: Step): Promise<void> {
    await this[next.act](next)
    expect(this.#model.broken([...this.#accounts.values()], this.#limits.now)).toBeNull()
  }

  async admit({ who, twice }: Step): Promise<void> {
    const session = this.#sessionOf(who)
    const accounts = this.#accountsOf(who, session)
    const expected = this.#model.admit(session, accounts, this.#limits.now)
    for (const answer of await this.#ask(twice, (node) => node.admit(session, accounts))) {
      if (answer.ok) expect({ ok: true }).toEqual({ ok: expected.ok })
      else
        expect({ ok: false, account: answer.refusal.account, limit: answer.refusal.limit }).toEqual(omitHeld(expected))
    }
    if (expected.ok) this.#alive.set(who, session)
  }

  async reserve({ who, twice, money, tokens, percent, standing }: Step): Promise<void> {
    const session = this.#sessionOf(who)
    const accounts = this.#accountsOf(who, session)
    const running = this.#runningOf(session)
    const part = (n: number) => Math.floor((n * percent) / 100)
    const ask = {
      want: hold(running.money + money, running.tokens + tokens),
      least: hold(running.money + part(money), running.tokens + part(tokens)),
      standing,
    }
    const now = this.#limits.now
    const expected = this.#model.reserve(session, accounts, ask, now)
    for (const answer of await this.#ask(twice, (node) => node.reserve({ session, accounts, ...ask }))) {
      if (answer.ok) expect({ ok: true, held: answer.held }).toEqual(expected)
      else {
        const { account: kind, limit: which, wait } = answer.refusal
        expect({ ok: false, account: kind, limit: which }).toEqual(expected)
        if (which === 'tokens') this.#checkWait(accounts, session, ask, kind, wait)
      }
      expect(answer.room).toEqual(this.#model.room(accounts, now))
    }
    if (expected.ok) this.#alive.set(who, session)
  }

  async begin({ who, percent }: Step): Promise<void> {
    const session = this.#alive.get(who)
    const lease = session === undefined ? undefined : this.#model.leases.get(session)
    if (session === undefined || lease === undefined) return
    const running = this.#runningOf(session)
    const part = (held: number, taken: number) => Math.floor(((held - taken) * percent) / 100)
    const estimate = hold(part(lease.held.money, running.money), part(lease.held.tokens, running.tokens))
    const id = `r${this.#ids++}`
    lease.running.set(`${session}:${id}`, estimate)
    const begun = { session, record: record(session, id, estimate.money, estimate.tokens) }
    expect(await this.#nodes[0].running(begun)).toBe(true)
  }

  async finish(next: Step): Promise<void> {
    const session = this.#alive.get(next.who)
    const [first] = session === undefined ? [] : (this.#model.leases.get(session)?.running ?? [])
    if (session === undefined || first === undefined) return
    const [id, estimate] = first
    const rest = this.#runningOf(session, id)
    const keep = hold(rest.money + next.money, rest.tokens + next.tokens)
    const began = { session, record: { ...record(session, '', estimate.money, estimate.tokens), id } }
    await this.#settle(
      session,
      this.#accountsOf(next.who, session),
      id,
      share(estimate, next.percent),
      keep,
      next.twice,
    )
    // The reply of the beginning was lost: it is told again when all is over.
    if (next.twice) expect(await this.#nodes[1].running(began)).toBe(true)
  }

  async truth({ twice, percent }: Step): Promise<void> {
    const lost = this.#lost.shift()
    if (lost === undefined) return
    await this.#settle(lost.session, lost.accounts, lost.id, share(lost.estimate, percent), null, twice)
  }

  async crash({ who }: Step): Promise<void> {
    this.#bury(who)
  }

  async release({ who, twice }: Step): Promise<void> {
    const session = this.#alive.get(who)
    if (session === undefined) return
    this.#bury(who)
    this.#model.end(session, this.#limits.now)
    await this.#ask(twice, (node) => node.release(session))
  }

  async reap({ twice }: Step): Promise<void> {
    const before = this.#model.leases.size
    this.#model.reap(this.#limits.now)
    const ended = await this.#ask(twice, (node) => node.reap(1_000))
    expect(ended.reduce((a, b) => a + b, 0)).toBe(before - this.#model.leases.size)
  }

  /** Time passes; nodes that live beat. */
  async pass({ ms }: Step): Promise<void> {
    for (let left = ms; left > 0; left -= 5_000) {
      this.#limits.pass(Math.min(left, 5_000))
      this.#model.beat(this.#alive.values(), this.#limits.now)
      if (this.#alive.size > 0) expect(await this.#nodes[1].beat([...this.#alive.values()])).toEqual([])
    }
  }

  /** Every node dies, the provider's counts arrive, and nothing may be left. */
  async endAll(): Promise<void> {
    for (const who of [...this.#alive.keys()]) this.#bury(who)
    this.#limits.pass(15_000)
    this.#model.reap(this.#limits.now)
    await this.#nodes[0].reap(1_000)
    while (this.#lost.length > 1) await this.truth({ twice: false, percent: 50 } as Step)
    const now = this.#limits.now
    const accounts = [...this.#accounts.values()]
    for (const [i, state] of (await this.#nodes[0].state(accounts)).entries()) {
      const of = accounts[i] as Account
      expect(state).toMatchObject({ sessions: 0, tokensHeld: 0, tokensLastMinute: this.#model.settled(of, now) })
      for (const { limit: which, spent, held } of state.money) {
        expect([state.id, which, spent, held]).toEqual([state.id, which, this.#model.spent(of, which, now), 0])
      }
    }
    const names = accounts.map(({ kind, id }) => `${kind}:${id}`)
    const leaks = [
      ...['leases', ...this.#sessions.map((session) => `lease:${session}`)],
      ...names.flatMap((of) => [`slots:${of}`, `leases:${of}`, `held:${of}`]),
    ]
    expect(await this.#redis.exists(leaks.map((key) => `${this.#limits.root}:${key}`))).toBe(0)
    await this.#checkJournal()
  }

  async #checkJournal(): Promise<void> {
    const sums = new Map<string, [cost: number, weighted: number]>()
    const seen = new Set<string>()
    for (const { id, basis, cost, weighted } of await this.#limits.journal()) {
      const entry = `${basis === 'correction' ? 'correction' : 'first'} of ${id}`
      expect(seen.has(entry), `${entry} was booked twice`).toBe(false)
      seen.add(entry)
      const [c, w] = sums.get(id) ?? [0, 0]
      sums.set(id, [c + cost, w + weighted])
    }
    const bought = this.#model.bought.map((b) => [b.id, [b.amount.money, b.amount.tokens]] as const)
    expect(Object.fromEntries(sums)).toEqual(Object.fromEntries(bought))
  }

  async #settle(
    session: string,
    accounts: readonly Account[],
    id: string,
    amount: Holding,
    keep: Holding | null,
    twice: boolean,
  ): Promise<void> {
    const now = this.#limits.now
    const isNew = this.#model.settle(session, accounts, id, amount, keep, now)
    const booked = { ...record(session, '', amount.money, amount.tokens), id }
    const answers = await this.#ask(twice, (node) => node.settle({ record: booked, accounts, keep }))
    expect(answers.filter((answer) => answer.isNew)).toHaveLength(isNew ? 1 : 0)
    for (const answer of answers) {
      expect(answer.held).toEqual(this.#model.leases.get(session)?.held ?? hold(0, 0))
      if (keep !== null) expect(answer.overdraft).toEqual(hold(0, 0))
      expect(answer.room).toEqual(this.#model.room(accounts, now))
    }
  }

  /** The wait told is the shortest after which the least fits. */
  #checkWait(accounts: readonly Account[], session: string, ask: Ask, kind: string, wait: number | null): void {
    const of = accounts.find((a) => a.kind === kind) as Account
    const others = this.#model.held(of, session).tokens
    const most = (of.limits.tokensPerMinute as number) - (ask.standing ? 2 : 1) * (others + ask.least.tokens)
    const fits = (at: number) => this.#model.settled(of, at) <= most
    if (wait === null) expect(most).toBeLessThan(0)
    else expect([fits(this.#limits.now + wait), fits(this.#limits.now + wait - 1)]).toEqual([true, false])
  }

  #ask<T>(twice: boolean, ask: (node: LimitStore) => Promise<T>): Promise<T[]> {
    return Promise.all((twice ? this.#nodes : this.#nodes.slice(0, 1)).map(ask))
  }

  /** The session of a caller; a new one once the last has ended. */
  #sessionOf(who: number): string {
    const alive = this.#alive.get(who)
    if (alive !== undefined) return alive
    const session = `s${who}-${this.#ids++}`
    this.#sessions.push(session)
    return session
  }

  #accountsOf(who: number, session: string): Account[] {
    const plan = this.#plot
    const accounts: Account[] = [
      { kind: 'session', id: session, limits: plan.session },
      { kind: 'user', id: `u${who % 2}`, limits: plan.user },
      { kind: 'tenant', id: `t${who % 3}`, limits: plan.tenant },
      { ...account('installation', 'main'), limits: plan.installation },
    ]
    for (const a of accounts) this.#accounts.set(`${a.kind}:${a.id}`, a)
    return accounts
  }

  #runningOf(session: string, except?: string): Holding {
    const running = [...(this.#model.leases.get(session)?.running ?? [])].filter(([id]) => id !== except)
    const total = (of: (amount: Holding) => number) => running.reduce((sum, [, amount]) => sum + of(amount), 0)
    return hold(
      total((amount) => amount.money),
      total((amount) => amount.tokens),
    )
  }

  /** Nobody speaks for the session any more; what it was running may be told by the provider later. */
  #bury(who: number): void {
    const session = this.#alive.get(who)
    if (session === undefined) return
    this.#alive.delete(who)
    const accounts = this.#accountsOf(who, session)
    for (const [id, estimate] of this.#model.leases.get(session)?.running ?? [])
      this.#lost.push({ session, accounts, id, estimate })
  }
}

const share = (of: Holding, percent: number) =>
  hold(Math.floor((of.money * percent) / 100), Math.floor((of.tokens * percent) / 100))

function omitHeld(verdict: ReturnType<LimitModel['admit']>) {
  return verdict.ok ? { ok: true } : verdict
}
