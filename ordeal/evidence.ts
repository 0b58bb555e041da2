import { setTimeout as after } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Booked } from '../src/ledger/ledger.ts'
import { SqliteLedger } from '../src/ledger/sqlite-ledger.ts'
import { keys } from '../src/store/keys.ts'
import { instant } from '../src/units.ts'
import type { Loopback } from '../src/upstream/loopback/server.ts'
import type { Fleet } from './fleet.ts'
import type { Premises } from './premises.ts'
import type { Witness } from './witness.ts'

/** Everything that the checker looks at: it knows nothing of what goes on inside a broker. */
export interface Evidence {
  readonly fleet: Fleet
  readonly premises: Premises
  readonly witness: Witness
  readonly provider: Loopback
  /** A line of its own to Redis, which nothing happens to. */
  readonly redis: Redis
  /** The ledger's file. */
  readonly ledger: string
}

/** One promise, what was found, and whether it was kept. */
export interface Finding {
  readonly promise: string
  readonly found: string
  readonly isKept: boolean
  /** Examples of what was not. */
  readonly examples: readonly string[]
}

export function finding(promise: string, found: string, broken: readonly string[]): Finding {
  return { promise, found, isKept: broken.length === 0, examples: broken.slice(0, 12) }
}

/** Looks again and again until nothing is left to wait for; what is left after `within` ms otherwise. */
export async function until<T>(look: () => Promise<T[]>, within: number): Promise<{ took: number; left: T[] }> {
  const from = Date.now()
  for (;;) {
    const left = await look()
    const took = Date.now() - from
    if (left.length === 0 || took > within) return { took, left }
    await after(250)
  }
}

/** A broker may still be on its way back to Redis when everything is over, ms. */
const BACK_WITHIN_MS = 5_000

/** Asks a broker's API; again while it says that it waits for Redis. Throws on anything else but an answer. */
export async function ask<T>({ fleet }: Evidence, key: string, path: string, body?: object): Promise<T> {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
  const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) }
  const from = Date.now()
  let answer = await fetch(`${fleet.door()}${path}`, init)
  while (answer.status === 503 && Date.now() - from < BACK_WITHIN_MS) {
    await after(200)
    answer = await fetch(`${fleet.door()}${path}`, init)
  }
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}

/** Every record of the ledger, in the order of booking. */
export async function recordsOf(path: string): Promise<Booked[]> {
  await using ledger = await SqliteLedger.open(path)
  const all: Booked[] = []
  const everything = { from: instant(0), to: instant(Number.MAX_SAFE_INTEGER), tenant: null, user: null, model: null }
  for (;;) {
    const page = await ledger.list({ ...everything, session: null, most: 1_000, after: all.at(-1)?.seq ?? 0 })
    all.push(...page)
    if (page.length < 1_000) return all
  }
}

/** Entries that the ledger would not take. */
export async function refused({ redis }: Evidence): Promise<string[]> {
  const entries = await redis.xrange(keys.journalRefused(keys.limits), '-', '+')
  return entries.map(([id, fields]) => `${id} was put aside: ${fields.join(' ').slice(0, 160)}`)
}

/** Waits until everything that was booked is in the ledger's file; returns what still waits. */
export async function settled({ fleet, redis }: Evidence, within: number): Promise<string[]> {
  const { left } = await until(async () => {
    const waiting = await redis.xlen(keys.journal(keys.limits))
    const unsettled = fleet.brokers.filter((broker) => broker.unsettled > 0)
    const inJournal = waiting > 0 ? [`${waiting} entries in the journal`] : []
    return [...inJournal, ...unsettled.map(({ name, unsettled }) => `${name}: ${unsettled} bytes unsettled`)]
  }, within)
  return left
}
