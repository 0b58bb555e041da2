import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { Ms } from '../../units.ts'
import { keys } from '../keys.ts'

/** One step of priority, ms of weighted work: the queue knows 2,097,151 of them, so a backlog of six days has its order. */
const STEP_MS = 250
const MOST_PRIORITY = 2_097_151
/** Beyond this the base moves, so that what comes later still has its order. */
const REBASE_FROM = 1_500_000
/** Tenants that are remembered although they may have nothing to do. */
const MOST_TENANTS = 1_000

/** Where a piece of work stands. */
export interface Turn {
  /** Virtual finish, ms of work: kept with the work for as long as it waits. */
  readonly number: number
  /** For the queue, which runs lower ones first; counts from `base`. */
  readonly priority: number
}

export interface Numbered {
  readonly turns: readonly Turn[]
  readonly base: string
  /** Priorities are running out: call `rebase`, and give all that waits its priority anew. */
  readonly isFar: boolean
}

/**
 * Q7: who is served next among tenants, as virtual finish numbers. A tenant with a thousand jobs waits behind one with two,
 * whoever came first, and gets everything when nobody else wants it.
 */
export class FairOrder {
  readonly #redis: Redis & Scripts
  readonly #key: string

  /** `lane`: a kind of work with an order of its own. */
  constructor(redis: Redis, lane: string) {
    this.#redis = withScripts(redis)
    this.#key = keys.fairOrder(lane)
  }

  /** `request` names the asking: the same again gets the same numbers. `cost`: of each piece. */
  async number(tenant: string, request: string, cost: Ms, weight: number, pieces = 1): Promise<Numbered> {
    const [base, ...numbers] = await this.#redis.fairNumber(this.#key, tenant, request, Math.ceil(cost), weight, pieces)
    const turns = numbers.map((number) => ({ number: Number(number), priority: priorityOf(Number(number), base) }))
    return { turns, base, isFar: Number(numbers.at(-1)) - Number(base) > REBASE_FROM * STEP_MS }
  }

  /** Work with this number has been begun. */
  async take(number: number): Promise<void> {
    await this.#redis.fairTake(this.#key, String(number), MOST_TENANTS)
  }

  /** Resolves with the base from which priorities count now. */
  rebase(seen: string): Promise<string> {
    return this.#redis.fairRebase(this.#key, seen)
  }
}

/** Zero would go before all others, so the first is one. */
export function priorityOf(number: number, base: string): number {
  const steps = 1 + Math.floor((number - Number(base)) / STEP_MS)
  return Math.min(MOST_PRIORITY, Math.max(1, steps))
}

interface Scripts {
  fairNumber(
    key: string,
    tenant: string,
    request: string,
    cost: number,
    weight: number,
    pieces: number,
  ): Promise<[base: string, ...numbers: string[]]>
  fairTake(key: string, number: string, most: number): Promise<0 | 1>
  fairRebase(key: string, seen: string): Promise<string>
}

function withScripts(redis: Redis): Redis & Scripts {
  for (const [name, file] of [
    ['fairNumber', 'number'],
    ['fairTake', 'take'],
    ['fairRebase', 'rebase'],
  ] as const) {
    if (name in redis) continue
    const lua = readFileSync(new URL(`../scripts/fair/${file}.lua`, import.meta.url), 'utf8')
    redis.defineCommand(name, { numberOfKeys: 1, lua })
  }
  return redis as Redis & Scripts
}
