import type { Redis } from 'ioredis'
import type { Grant, LimitStore, Reservation, Running, Settled, Settlement } from '../limits/limit-store.ts'
import type { Account, AccountState, BudgetLevel, Holding, Refusal, Room } from '../limits/limits.ts'
import { correctionOf, estimateOf } from '../meter/correction.ts'
import type { LedgerRecord } from '../meter/record.ts'
import { type Instant, instant, type Ms, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts'
import { keys } from './keys.ts'
import {
  fromStore,
  type LevelReply,
  type LimitScripts,
  type RefusalReply,
  type RoomReply,
  type SettleReply,
  type StateReply,
  withLimitScripts,
} from './limit-scripts.ts'

/** Sessions renewed, leases ended and accounts looked at by one call of a script: some milliseconds of Redis's time at most. */
const BEAT_CHUNK = 200
const REAP_CHUNK = 100
const STATE_CHUNK = 100

export interface RedisLimitStoreOptions {
  /** In place of Redis's own time, for tests in simulated time. */
  readonly now?: () => Instant
  /** In place of the root that all nodes share. It must contain a hash tag. */
  readonly root?: string
}

/** The shared truth in Redis. Everything it decides, it decides in `scripts/limits/*.lua`. */
export class RedisLimitStore implements LimitStore {
  readonly root: string
  readonly #redis: Redis & LimitScripts
  readonly #now: (() => Instant) | null

  constructor(redis: Redis, options: RedisLimitStoreOptions = {}) {
    this.#redis = withLimitScripts(redis)
    this.#now = options.now ?? null
    this.root = options.root ?? keys.limits
  }

  async admit(
    session: string,
    accounts: readonly Account[],
  ): Promise<{ ok: true; level: BudgetLevel | null } | { ok: false; refusal: Refusal }> {
    const [, level, refusal] = await fromStore(
      this.#redis.limitsAdmit(this.root, this.#time(), session, ...accounts.map(spell)),
    )
    return refusal === undefined ? { ok: true, level: levelFrom(level) } : { ok: false, refusal: refusalFrom(refusal) }
  }

  async beat(sessions: readonly string[]): Promise<string[]> {
    const chunks: (readonly string[])[] = []
    for (let i = 0; i < sessions.length; i += BEAT_CHUNK) chunks.push(sessions.slice(i, i + BEAT_CHUNK))
    const gone = chunks.map((chunk) => fromStore(this.#redis.limitsBeat(this.root, this.#time(), ...chunk)))
    return (await Promise.all(gone)).flat()
  }

  async reserve({ session, accounts, want, least, standing }: Reservation): Promise<Grant> {
    const [isOk, money, weighted, room, level, refusal] = await fromStore(
      this.#redis.limitsReserve(
        this.root,
        this.#time(),
        session,
        want.money,
        want.tokens,
        least.money,
        least.tokens,
        standing ? '1' : '0',
        ...accounts.map(spell),
      ),
    )
    const left = { room: roomFrom(room), level: levelFrom(level) }
    if (refusal !== undefined) return { ok: false, refusal: refusalFrom(refusal), ...left }
    if (isOk !== 1) throw new Error('a reservation was refused without a reason')
    return { ok: true, held: holding(money, weighted), ...left }
  }

  async running({ session, record }: Running): Promise<boolean> {
    const { id, cost, weighted } = record
    const json = JSON.stringify(estimateOf(record))
    return (
      (await fromStore(this.#redis.limitsRunning(this.root, this.#time(), session, id, cost, weighted, json))) === 1
    )
  }

  async settle(settlement: Settlement): Promise<Settled> {
    const { record } = settlement
    if (record.basis === 'correction') throw new TypeError('corrections are made here, from the truth')
    const reply = await this.#book(settlement)
    if (reply[0] !== 2) return settledFrom(reply)
    // Written by us when the estimate was booked.
    const estimate = JSON.parse(reply[1]) as LedgerRecord
    const corrected = await this.#book({ ...settlement, record: correctionOf(record, estimate) })
    if (corrected[0] === 2) throw new Error('a correction was taken for the truth')
    return settledFrom(corrected)
  }

  async release(session: string, notBought: readonly string[] = []): Promise<void> {
    await fromStore(this.#redis.limitsRelease(this.root, this.#time(), session, ...notBought))
  }

  async reap(most: number): Promise<number> {
    let ended = 0
    while (ended < most) {
      const chunk = Math.min(REAP_CHUNK, most - ended)
      const count = await fromStore(this.#redis.limitsReap(this.root, this.#time(), chunk))
      ended += count
      if (count < chunk) break
    }
    return ended
  }

  async state(accounts: readonly Account[]): Promise<AccountState[]> {
    const now = await this.#instant()
    const states: AccountState[] = []
    for (let from = 0; from < accounts.length; from += STATE_CHUNK) {
      const chunk = accounts.slice(from, from + STATE_CHUNK)
      const replies = await fromStore(this.#redis.limitsState(this.root, now, ...chunk.map(spell)))
      states.push(...replies.map((reply, i) => stateFrom(reply, chunk[i] as Account, now)))
    }
    return states
  }

  async #book({ record, accounts, keep, lease }: Settlement): Promise<SettleReply> {
    return fromStore(
      this.#redis.limitsSettle(
        this.root,
        this.#time(),
        record.basis,
        record.id,
        lease ?? record.session,
        record.cost,
        record.weighted,
        keep?.money ?? -1,
        keep?.tokens ?? -1,
        JSON.stringify(record),
        ...accounts.map(spell),
      ),
    )
  }

  /** Whole epoch ms for a script; empty to let it ask Redis. */
  #time(): string {
    return this.#now === null ? '' : String(Math.floor(this.#now()))
  }

  /** The same as a number, for answers that name an instant. */
  async #instant(): Promise<Instant> {
    if (this.#now !== null) return instant(Math.floor(this.#now()))
    const [second, micros] = await fromStore(this.#redis.time())
    return instant(Number(second) * 1_000 + Math.floor(Number(micros) / 1_000))
  }
}

const NO_LIMIT = -1

/** An account as the scripts read it. */
function spell({ kind, id, limits }: Account): string {
  const { sessions, startsPerMinute, tokensPerMinute, budget, perDay, perMonth } = limits
  const all = [sessions, startsPerMinute, tokensPerMinute, budget, perDay, perMonth]
  return `${kind}:${id} ${all.map((limit) => limit ?? NO_LIMIT).join(' ')}`
}

const holding = (money: number, weighted: number): Holding => ({ money: nanoUsd(money), tokens: tokens(weighted) })

const roomFrom = ([money, weighted]: RoomReply): Room => ({
  money: money as NanoUsd | null,
  tokens: weighted as Tokens | null,
})

const refusalFrom = ([account, limit, wait]: RefusalReply): Refusal => ({ account, limit, wait: wait as Ms | null })

function levelFrom(reply: LevelReply | null): BudgetLevel | null {
  if (reply === null) return null
  const [account, limit, spent, cap] = reply
  return { account, limit, spent: nanoUsd(spent), cap: nanoUsd(cap) }
}

function settledFrom(reply: Exclude<SettleReply, [2, string]>): Settled {
  const [isNew, money, weighted, overMoney, overTokens, room, level] = reply
  return {
    isNew: isNew === 1,
    held: holding(money, weighted),
    overdraft: holding(overMoney, overTokens),
    room: roomFrom(room),
    level: levelFrom(level),
  }
}

function stateFrom(reply: StateReply, { kind, id, limits }: Account, now: Instant): AccountState {
  const [slots, starts, settled, held, wait, heldMoney, money] = reply
  const spent: AccountState['money'][number][] = []
  for (let i = 0; i < money.length; i += 2) {
    const limit = money[i] as 'budget' | 'day' | 'month'
    spent.push({ limit, spent: nanoUsd(Number(money[i + 1])), held: nanoUsd(heldMoney) })
  }
  return {
    kind,
    id,
    limits,
    sessions: slots,
    startsLastMinute: starts,
    tokensLastMinute: tokens(settled),
    tokensHeld: tokens(held),
    tokensRefillAt: wait === null ? null : instant(now + wait),
    money: spent,
  }
}
